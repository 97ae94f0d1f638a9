-- Rows of database postgres that are lost with what a rewind throws away.
--
-- READ THIS BEFORE YOU RUN IT, on the server that took over. These statements
-- repeat what transactions did on the old server after the divergence at 0/A000F8, in the
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

-- transaction 778, committed at 2026-11-28 04:50:14.571344Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('100', 'lost 100', '100.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 778, committed at 2026-11-28 04:50:14.571344Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('101', 'lost 101', '101.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 778, committed at 2026-11-28 04:50:14.571344Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('102', 'lost 102', '102.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 778, committed at 2026-11-28 04:50:14.571344Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('103', 'lost 103', '103.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 779, committed at 2026-11-28 04:50:14.578723Z
-- old: "id" = '1', "customer" = 'customer 1', "total" = '1.25', "placed" = '2026-01-02 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(1,pair)', "during" = '[1,6)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '2.25', "state" = NULL WHERE "id" = '1';

-- transaction 779, committed at 2026-11-28 04:50:14.578723Z
-- old: "id" = '2', "customer" = 'customer 2', "total" = '2.50', "placed" = '2026-01-03 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(2,pair)', "during" = '[2,7)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '3.50', "state" = NULL WHERE "id" = '2';

-- transaction 780, committed at 2026-11-28 04:50:14.580551Z
-- old: "id" = '3', "customer" = 'customer 3', "total" = '3.75', "placed" = '2026-01-04 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(3,pair)', "during" = '[3,8)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "id" = '200' WHERE "id" = '3';

-- transaction 781, committed at 2026-11-28 04:50:14.580732Z
-- old: "id" = '4', "customer" = 'customer 4', "total" = '5.00', "placed" = '2026-01-05 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(4,pair)', "during" = '[4,9)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
DELETE FROM "public"."orders" WHERE "id" = '4';

-- transaction 782, committed at 2026-11-28 04:50:14.581165Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('110', 'before the savepoint', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 782, committed at 2026-11-28 04:50:14.581165Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('112', 'behind it', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 789, committed at 2026-11-28 04:50:14.589067Z
-- old: "id" = '6', "customer" = 'customer 6', "total" = '7.50', "placed" = '2026-01-07 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(6,pair)', "during" = '[6,11)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "customer" = 'conflict' WHERE "id" = '6';

-- transaction 789, committed at 2026-11-28 04:50:14.589067Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('140', 'none', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 787, committed at 2026-11-28 04:50:14.589835Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('130', 'prepared', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 787, committed at 2026-11-28 04:50:14.589835Z
-- old: "id" = '5', "customer" = 'customer 5', "total" = '6.25', "placed" = '2026-01-06 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(5,pair)', "during" = '[5,10)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "open" = NULL WHERE "id" = '5';

-- transaction 791, committed at 2026-11-28 04:50:14.592897Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('1', '''a'':1A ''cat'':5 ''fat'':2B,4C', '( ''fat'' | ''cat'' ) & !''rat'':*A', 'timestamp without time zone[]', 'orders') ON CONFLICT DO NOTHING;

-- transaction 791, committed at 2026-11-28 04:50:14.592897Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('2', '', '', 'mood', 'pg_class') ON CONFLICT DO NOTHING;

-- transaction 791, committed at 2026-11-28 04:50:14.592897Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('3', NULL, '''it'' <-> ''sat'' <3> ''there''', '"char"', '-') ON CONFLICT DO NOTHING;

-- transaction 792, committed at 2026-11-28 04:50:14.593443Z
INSERT INTO "public"."toasted" ("id", "note", "body") VALUES ('4', 'new', 'newnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnew') ON CONFLICT DO NOTHING;

-- transaction 793, committed at 2026-11-28 04:50:14.599259Z
-- old: "id" = '1', "note" = 'before', "body" = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
UPDATE "public"."toasted" SET "note" = 'after' WHERE "id" = '1';

-- transaction 794, committed at 2026-11-28 04:50:14.601375Z
-- old: "id" = '2', "note" = 'before', "body" = 'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB'
UPDATE "public"."toasted" SET "body" = 'otherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherother' WHERE "id" = '2';

-- transaction 795, committed at 2026-11-28 04:50:14.601691Z
-- old: "id" = '3', "note" = 'before', "body" = 'CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC'
DELETE FROM "public"."toasted" WHERE "id" = '3';

-- transaction 796, committed at 2026-11-28 04:50:14.603695Z
INSERT INTO "public"."less" ("id", "kept") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 797, committed at 2026-11-28 04:50:14.604669Z
-- old: "id" = '1', "kept" = 'one'
UPDATE "public"."less" SET "kept" = 'uno' WHERE "id" = '1';

-- transaction 798, committed at 2026-11-28 04:50:14.605033Z
-- old: "id" = '2', "kept" = 'two'
DELETE FROM "public"."less" WHERE "id" = '2';

-- transaction 799, committed at 2026-11-28 04:50:14.606645Z
-- old: "id" = '1', "added" = 'by default', "later" = '7'
UPDATE "public"."more" SET "id" = '10' WHERE "id" = '1';

-- transaction 800, committed at 2026-11-28 04:50:14.615006Z
INSERT INTO "public"."more" ("id", "added", "later") VALUES ('3', 'given', '7') ON CONFLICT DO NOTHING;

-- transaction 802, committed at 2026-11-28 04:50:14.625761Z
-- old: "id" = '2', "added" = 'by default', "later" = '7'
DELETE FROM "public"."more" WHERE "id" = '2';

-- transaction 803, committed at 2026-11-28 04:50:14.626991Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 805, committed at 2026-11-28 04:50:14.708698Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 806, committed at 2026-11-28 04:50:14.709437Z
INSERT INTO "public"."dropped" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 807, committed at 2026-11-28 04:50:14.709605Z
-- old: "id" = '1', "t" = 'one'
DELETE FROM "public"."dropped" WHERE "id" = '1';

-- transaction 809, committed at 2026-11-28 04:50:14.711897Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 810, committed at 2026-11-28 04:50:14.712865Z
-- old: "id" = '1', "t" = 'one'
UPDATE "public"."rewritten" SET "t" = 'uno' WHERE "id" = '1';

-- transaction 812, committed at 2026-11-28 04:50:14.729256Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 813, committed at 2026-11-28 04:50:14.729450Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('2', '20') ON CONFLICT DO NOTHING;

-- transaction 815, committed at 2026-11-28 04:50:14.737561Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('3', 'thirty') ON CONFLICT DO NOTHING;

-- transaction 816, committed at 2026-11-28 04:50:14.737950Z
INSERT INTO "public"."measured_2025" ("at", "v") VALUES ('2025-06-01', '1.5') ON CONFLICT DO NOTHING;

-- transaction 816, committed at 2026-11-28 04:50:14.737950Z
INSERT INTO "public"."measured_2026" ("at", "v") VALUES ('2026-06-01', '-2') ON CONFLICT DO NOTHING;

-- transaction 817, committed at 2026-11-28 04:50:14.740293Z
-- old: "at" = '2025-01-01', "v" = '1'
-- update of "public"."measured_2025", row at (0,3): no statement, because the table has no primary key
-- new: "at" = '2025-01-01', "v" = '0'

-- transaction 818, committed at 2026-11-28 04:50:14.740669Z
-- old: "a" = '1', "Odd, ""name" = 'x'
-- update of "public"."nokey", row at (0,3): no statement, because the table has no primary key
-- new: "a" = '11', "Odd, ""name" = 'x'

-- transaction 819, committed at 2026-11-28 04:50:14.744325Z
-- old: "a" = '2', "Odd, ""name" = NULL
-- delete of "public"."nokey", row at (0,2): no statement, because the table has no primary key

-- transaction 820, committed at 2026-11-28 04:50:14.749208Z
INSERT INTO "public"."made" ("id", "t") VALUES ('1', 'made 1') ON CONFLICT DO NOTHING;

-- transaction 820, committed at 2026-11-28 04:50:14.749208Z
INSERT INTO "public"."made" ("id", "t") VALUES ('2', 'made 2') ON CONFLICT DO NOTHING;

-- transaction 820, committed at 2026-11-28 04:50:14.749208Z
INSERT INTO "public"."made" ("id", "t") VALUES ('3', 'made 3') ON CONFLICT DO NOTHING;

-- transaction 822, committed at 2026-11-28 04:50:14.751907Z
-- insert of "public"."passing", row at (0,1): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'here'

-- transaction 822, committed at 2026-11-28 04:50:14.751907Z
-- insert of "public"."passing", row at (0,2): no statement, because the table was created and dropped after the divergence
-- new: "id" = '2', "t" = 'and gone'

-- transaction 823, committed at 2026-11-28 04:50:14.754276Z
-- old: "id" = '1', "t" = 'here'
-- update of "public"."passing", row at (0,3): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'changed'

-- transaction 825, committed at 2026-11-28 04:50:14.755285Z
SELECT lo_create('70003'::oid) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70003'::oid);

-- transaction 825, committed at 2026-11-28 04:50:14.755285Z
SELECT lo_put('70003'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x61206e6577206f626a656374'::bytea);

-- transaction 826, committed at 2026-11-28 04:50:14.755403Z
SELECT lo_put('70001'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x616e204f424a454354206f66206265666f7265'::bytea);

-- transaction 827, committed at 2026-11-28 04:50:14.755496Z
SELECT lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70002'::oid;

-- transaction 827, committed at 2026-11-28 04:50:14.755496Z
-- delete of "pg_catalog"."pg_largeobject", row at (0,2): no statement, because a piece cannot be removed on its own, whether it was cut off or its object was removed

-- transaction 828, committed at 2026-11-28 04:50:14.766276Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('150', 'copied', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 828, committed at 2026-11-28 04:50:14.766276Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('151', 'copied, too', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

COMMIT;
