-- Rows of database postgres that are lost with what a rewind throws away.
--
-- READ THIS BEFORE YOU RUN IT, on the server that took over. These statements
-- repeat what transactions did on the old server after the divergence at 0/00A00100, in the
-- order in which they committed. They do not take into account what has happened on
-- the new server since: a row may exist already, or be a different one by now. The
-- tables' triggers fire. Changes that could not be written as statements are comments.
--
-- Everything is in one transaction.

BEGIN;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL timezone = 'UTC';

-- transaction 702, committed at 2026-11-28 04:50:22.740941Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('100', 'lost 100', '100.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 702, committed at 2026-11-28 04:50:22.740941Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('101', 'lost 101', '101.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 702, committed at 2026-11-28 04:50:22.740941Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('102', 'lost 102', '102.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 702, committed at 2026-11-28 04:50:22.740941Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('103', 'lost 103', '103.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 703, committed at 2026-11-28 04:50:22.897483Z
-- old: "id" = '1', "customer" = 'customer 1', "total" = '1.25', "placed" = '2026-01-02 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(1,pair)', "during" = '[1,6)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '2.25', "state" = NULL WHERE "id" = '1';

-- transaction 703, committed at 2026-11-28 04:50:22.897483Z
-- old: "id" = '2', "customer" = 'customer 2', "total" = '2.50', "placed" = '2026-01-03 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(2,pair)', "during" = '[2,7)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '3.50', "state" = NULL WHERE "id" = '2';

-- transaction 704, committed at 2026-11-28 04:50:22.897713Z
-- old: "id" = '3', "customer" = 'customer 3', "total" = '3.75', "placed" = '2026-01-04 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(3,pair)', "during" = '[3,8)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "id" = '200' WHERE "id" = '3';

-- transaction 705, committed at 2026-11-28 04:50:22.897860Z
-- old: "id" = '4', "customer" = 'customer 4', "total" = '5.00', "placed" = '2026-01-05 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(4,pair)', "during" = '[4,9)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
DELETE FROM "public"."orders" WHERE "id" = '4';

-- transaction 706, committed at 2026-11-28 04:50:22.898277Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('110', 'before the savepoint', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 706, committed at 2026-11-28 04:50:22.898277Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('112', 'behind it', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 713, committed at 2026-11-28 04:50:22.899303Z
-- old: "id" = '6', "customer" = 'customer 6', "total" = '7.50', "placed" = '2026-01-07 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(6,pair)', "during" = '[6,11)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "customer" = 'conflict' WHERE "id" = '6';

-- transaction 713, committed at 2026-11-28 04:50:22.899303Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('140', 'none', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 711, committed at 2026-11-28 04:50:22.899426Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('130', 'prepared', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 711, committed at 2026-11-28 04:50:22.899426Z
-- old: "id" = '5', "customer" = 'customer 5', "total" = '6.25', "placed" = '2026-01-06 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(5,pair)', "during" = '[5,10)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "open" = NULL WHERE "id" = '5';

-- transaction 715, committed at 2026-11-28 04:50:22.900216Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('1', '''a'':1A ''cat'':5 ''fat'':2B,4C', '( ''fat'' | ''cat'' ) & !''rat'':*A', 'timestamp without time zone[]', 'orders') ON CONFLICT DO NOTHING;

-- transaction 715, committed at 2026-11-28 04:50:22.900216Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('2', '', '', 'mood', 'pg_class') ON CONFLICT DO NOTHING;

-- transaction 715, committed at 2026-11-28 04:50:22.900216Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('3', NULL, '''it'' <-> ''sat'' <3> ''there''', '"char"', '-') ON CONFLICT DO NOTHING;

-- transaction 716, committed at 2026-11-28 04:50:22.901278Z
INSERT INTO "public"."toasted" ("id", "note", "body") VALUES ('4', 'new', 'newnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnew') ON CONFLICT DO NOTHING;

-- transaction 717, committed at 2026-11-28 04:50:22.901474Z
-- old: "id" = '1', "note" = 'before', "body" = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
UPDATE "public"."toasted" SET "note" = 'after' WHERE "id" = '1';

-- transaction 718, committed at 2026-11-28 04:50:22.901730Z
-- old: "id" = '2', "note" = 'before', "body" = 'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB'
UPDATE "public"."toasted" SET "body" = 'otherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherother' WHERE "id" = '2';

-- transaction 719, committed at 2026-11-28 04:50:22.901895Z
-- old: "id" = '3', "note" = 'before', "body" = 'CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC'
DELETE FROM "public"."toasted" WHERE "id" = '3';

-- transaction 720, committed at 2026-11-28 04:50:22.902214Z
INSERT INTO "public"."less" ("id", "kept") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 721, committed at 2026-11-28 04:50:22.902380Z
-- old: "id" = '1', "kept" = 'one'
UPDATE "public"."less" SET "kept" = 'uno' WHERE "id" = '1';

-- transaction 722, committed at 2026-11-28 04:50:22.902515Z
-- old: "id" = '2', "kept" = 'two'
DELETE FROM "public"."less" WHERE "id" = '2';

-- transaction 723, committed at 2026-11-28 04:50:22.903100Z
-- old: "id" = '1', "added" = 'by default', "later" = '7'
UPDATE "public"."more" SET "id" = '10' WHERE "id" = '1';

-- transaction 724, committed at 2026-11-28 04:50:22.903284Z
INSERT INTO "public"."more" ("id", "added", "later") VALUES ('3', 'given', '7') ON CONFLICT DO NOTHING;

-- transaction 726, committed at 2026-11-28 04:50:22.904965Z
-- old: "id" = '2', "added" = 'by default', "later" = '7'
DELETE FROM "public"."more" WHERE "id" = '2';

-- transaction 727, committed at 2026-11-28 04:50:22.905279Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 729, committed at 2026-11-28 04:50:22.910728Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 730, committed at 2026-11-28 04:50:22.911104Z
INSERT INTO "public"."dropped" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 731, committed at 2026-11-28 04:50:22.911304Z
-- old: "id" = '1', "t" = 'one'
DELETE FROM "public"."dropped" WHERE "id" = '1';

-- transaction 733, committed at 2026-11-28 04:50:22.912951Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 734, committed at 2026-11-28 04:50:22.913169Z
-- old: "id" = '1', "t" = 'one'
UPDATE "public"."rewritten" SET "t" = 'uno' WHERE "id" = '1';

-- transaction 736, committed at 2026-11-28 04:50:22.916948Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 737, committed at 2026-11-28 04:50:22.917312Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('2', '20') ON CONFLICT DO NOTHING;

-- transaction 739, committed at 2026-11-28 04:50:22.925308Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('3', 'thirty') ON CONFLICT DO NOTHING;

-- transaction 740, committed at 2026-11-28 04:50:22.925804Z
INSERT INTO "public"."measured_2025" ("at", "v") VALUES ('2025-06-01', '1.5') ON CONFLICT DO NOTHING;

-- transaction 740, committed at 2026-11-28 04:50:22.925804Z
INSERT INTO "public"."measured_2026" ("at", "v") VALUES ('2026-06-01', '-2') ON CONFLICT DO NOTHING;

-- transaction 741, committed at 2026-11-28 04:50:22.926170Z
-- old: "at" = '2025-01-01', "v" = '1'
-- update of "public"."measured_2025", row at (0,3): no statement, because the table has no primary key
-- new: "at" = '2025-01-01', "v" = '0'

-- transaction 742, committed at 2026-11-28 04:50:22.926518Z
-- old: "a" = '1', "Odd, ""name" = 'x'
-- update of "public"."nokey", row at (0,3): no statement, because the table has no primary key
-- new: "a" = '11', "Odd, ""name" = 'x'

-- transaction 743, committed at 2026-11-28 04:50:22.926662Z
-- old: "a" = '2', "Odd, ""name" = NULL
-- delete of "public"."nokey", row at (0,2): no statement, because the table has no primary key

-- transaction 744, committed at 2026-11-28 04:50:22.928687Z
INSERT INTO "public"."made" ("id", "t") VALUES ('1', 'made 1') ON CONFLICT DO NOTHING;

-- transaction 744, committed at 2026-11-28 04:50:22.928687Z
INSERT INTO "public"."made" ("id", "t") VALUES ('2', 'made 2') ON CONFLICT DO NOTHING;

-- transaction 744, committed at 2026-11-28 04:50:22.928687Z
INSERT INTO "public"."made" ("id", "t") VALUES ('3', 'made 3') ON CONFLICT DO NOTHING;

-- transaction 746, committed at 2026-11-28 04:50:22.937085Z
-- insert of "public"."passing", row at (0,1): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'here'

-- transaction 746, committed at 2026-11-28 04:50:22.937085Z
-- insert of "public"."passing", row at (0,2): no statement, because the table was created and dropped after the divergence
-- new: "id" = '2', "t" = 'and gone'

-- transaction 747, committed at 2026-11-28 04:50:22.937290Z
-- old: "id" = '1', "t" = 'here'
-- update of "public"."passing", row at (0,3): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'changed'

-- transaction 749, committed at 2026-11-28 04:50:22.938224Z
SELECT lo_create('70003'::oid) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70003'::oid);

-- transaction 749, committed at 2026-11-28 04:50:22.938224Z
SELECT lo_put('70003'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x61206e6577206f626a656374'::bytea);

-- transaction 750, committed at 2026-11-28 04:50:22.938400Z
SELECT lo_put('70001'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x616e204f424a454354206f66206265666f7265'::bytea);

-- transaction 751, committed at 2026-11-28 04:50:22.938555Z
SELECT lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70002'::oid;

-- transaction 751, committed at 2026-11-28 04:50:22.938555Z
-- delete of "pg_catalog"."pg_largeobject", row at (0,2): no statement, because a piece cannot be removed on its own, whether it was cut off or its object was removed

-- transaction 752, committed at 2026-11-28 04:50:22.942612Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('150', 'copied', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 752, committed at 2026-11-28 04:50:22.942612Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('151', 'copied, too', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

COMMIT;
