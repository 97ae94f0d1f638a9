-- Rows of database postgres that are lost with what a rewind throws away.
--
-- READ THIS BEFORE YOU RUN IT, on the server that took over. These statements
-- repeat what transactions did on the old server after the divergence at 0/20000D0, in the
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

-- transaction 589, committed at 2026-11-28 04:49:34.669572Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('100', 'lost 100', '100.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 589, committed at 2026-11-28 04:49:34.669572Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('101', 'lost 101', '101.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 589, committed at 2026-11-28 04:49:34.669572Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('102', 'lost 102', '102.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 589, committed at 2026-11-28 04:49:34.669572Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('103', 'lost 103', '103.01', '2026-02-03 04:05:06.789+00', 'very happy', '{}', NULL, '(,"a ""b""")', 'empty', '::1', '\x', 'f') ON CONFLICT DO NOTHING;

-- transaction 590, committed at 2026-11-28 04:49:34.670052Z
-- old: "id" = '1', "customer" = 'customer 1', "total" = '1.25', "placed" = '2026-01-02 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(1,pair)', "during" = '[1,6)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '2.25', "state" = NULL WHERE "id" = '1';

-- transaction 590, committed at 2026-11-28 04:49:34.670052Z
-- old: "id" = '2', "customer" = 'customer 2', "total" = '2.50', "placed" = '2026-01-03 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(2,pair)', "during" = '[2,7)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "total" = '3.50', "state" = NULL WHERE "id" = '2';

-- transaction 591, committed at 2026-11-28 04:49:34.670201Z
-- old: "id" = '3', "customer" = 'customer 3', "total" = '3.75', "placed" = '2026-01-04 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(3,pair)', "during" = '[3,8)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "id" = '200' WHERE "id" = '3';

-- transaction 592, committed at 2026-11-28 04:49:34.670361Z
-- old: "id" = '4', "customer" = 'customer 4', "total" = '5.00', "placed" = '2026-01-05 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(4,pair)', "during" = '[4,9)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
DELETE FROM "public"."orders" WHERE "id" = '4';

-- transaction 593, committed at 2026-11-28 04:49:34.670735Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('110', 'before the savepoint', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 593, committed at 2026-11-28 04:49:34.670735Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('112', 'behind it', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 600, committed at 2026-11-28 04:49:34.672866Z
-- old: "id" = '6', "customer" = 'customer 6', "total" = '7.50', "placed" = '2026-01-07 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(6,pair)', "during" = '[6,11)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "customer" = 'conflict' WHERE "id" = '6';

-- transaction 600, committed at 2026-11-28 04:49:34.672866Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('140', 'none', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 598, committed at 2026-11-28 04:49:34.676514Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('130', 'prepared', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 598, committed at 2026-11-28 04:49:34.676514Z
-- old: "id" = '5', "customer" = 'customer 5', "total" = '6.25', "placed" = '2026-01-06 12:00:00+00', "state" = 'ok', "tags" = '{a,"b c"}', "doc" = '{"a": [1, null, "x"]}', "who" = '(5,pair)', "during" = '[5,10)', "seen" = '10.0.0.1/24', "raw" = '\\x00ff', "open" = 't'
UPDATE "public"."orders" SET "open" = NULL WHERE "id" = '5';

-- transaction 602, committed at 2026-11-28 04:49:34.677177Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('1', '''a'':1A ''cat'':5 ''fat'':2B,4C', '( ''fat'' | ''cat'' ) & !''rat'':*A', 'timestamp without time zone[]', 'orders') ON CONFLICT DO NOTHING;

-- transaction 602, committed at 2026-11-28 04:49:34.677177Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('2', '', '', 'mood', 'pg_class') ON CONFLICT DO NOTHING;

-- transaction 602, committed at 2026-11-28 04:49:34.677177Z
INSERT INTO "public"."words" ("id", "found", "wanted", "of", "table") VALUES ('3', NULL, '''it'' <-> ''sat'' <3> ''there''', '"char"', '-') ON CONFLICT DO NOTHING;

-- transaction 603, committed at 2026-11-28 04:49:34.677536Z
INSERT INTO "public"."toasted" ("id", "note", "body") VALUES ('4', 'new', 'newnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnewnew') ON CONFLICT DO NOTHING;

-- transaction 604, committed at 2026-11-28 04:49:34.677706Z
-- old: "id" = '1', "note" = 'before', "body" = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
UPDATE "public"."toasted" SET "note" = 'after' WHERE "id" = '1';

-- transaction 605, committed at 2026-11-28 04:49:34.677848Z
-- old: "id" = '2', "note" = 'before', "body" = 'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB'
UPDATE "public"."toasted" SET "body" = 'otherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherotherother' WHERE "id" = '2';

-- transaction 606, committed at 2026-11-28 04:49:34.677937Z
-- old: "id" = '3', "note" = 'before', "body" = 'CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC'
DELETE FROM "public"."toasted" WHERE "id" = '3';

-- transaction 607, committed at 2026-11-28 04:49:34.678138Z
INSERT INTO "public"."less" ("id", "kept") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 608, committed at 2026-11-28 04:49:34.678244Z
-- old: "id" = '1', "kept" = 'one'
UPDATE "public"."less" SET "kept" = 'uno' WHERE "id" = '1';

-- transaction 609, committed at 2026-11-28 04:49:34.678317Z
-- old: "id" = '2', "kept" = 'two'
DELETE FROM "public"."less" WHERE "id" = '2';

-- transaction 610, committed at 2026-11-28 04:49:34.678561Z
-- old: "id" = '1', "added" = 'by default', "later" not known
-- update of "public"."more", row at (0,3): no statement, because not all of its values are known
-- new: "id" = '10', "added" = 'by default', "later" not known

-- transaction 611, committed at 2026-11-28 04:49:34.678683Z
-- insert of "public"."more", row at (0,4): no statement, because not all of its values are known
-- new: "id" = '3', "added" = 'given', "later" not known

-- transaction 613, committed at 2026-11-28 04:49:34.684802Z
-- old: "id" = '2', "added" = 'by default', "later" = '7'
DELETE FROM "public"."more" WHERE "id" = '2';

-- transaction 614, committed at 2026-11-28 04:49:34.684951Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 616, committed at 2026-11-28 04:49:34.686477Z
INSERT INTO "public"."emptied" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 617, committed at 2026-11-28 04:49:34.686644Z
INSERT INTO "public"."dropped" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 618, committed at 2026-11-28 04:49:34.686739Z
-- old: "id" = '1', "t" = 'one'
DELETE FROM "public"."dropped" WHERE "id" = '1';

-- transaction 620, committed at 2026-11-28 04:49:34.687619Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('2', 'two') ON CONFLICT DO NOTHING;

-- transaction 621, committed at 2026-11-28 04:49:34.687716Z
-- old: "id" = '1', "t" = 'one'
UPDATE "public"."rewritten" SET "t" = 'uno' WHERE "id" = '1';

-- transaction 623, committed at 2026-11-28 04:49:34.707533Z
INSERT INTO "public"."rewritten" ("id", "t") VALUES ('3', 'three') ON CONFLICT DO NOTHING;

-- transaction 624, committed at 2026-11-28 04:49:34.707703Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('2', '20') ON CONFLICT DO NOTHING;

-- transaction 626, committed at 2026-11-28 04:49:34.716650Z
INSERT INTO "public"."retyped" ("id", "v") VALUES ('3', 'thirty') ON CONFLICT DO NOTHING;

-- transaction 627, committed at 2026-11-28 04:49:34.717042Z
INSERT INTO "public"."measured_2025" ("at", "v") VALUES ('2025-06-01', '1.5') ON CONFLICT DO NOTHING;

-- transaction 627, committed at 2026-11-28 04:49:34.717042Z
INSERT INTO "public"."measured_2026" ("at", "v") VALUES ('2026-06-01', '-2') ON CONFLICT DO NOTHING;

-- transaction 628, committed at 2026-11-28 04:49:34.717309Z
-- old: "at" = '2025-01-01', "v" = '1'
-- update of "public"."measured_2025", row at (0,3): no statement, because the table has no primary key
-- new: "at" = '2025-01-01', "v" = '0'

-- transaction 629, committed at 2026-11-28 04:49:34.717473Z
-- old: "a" = '1', "Odd, ""name" = 'x'
-- update of "public"."nokey", row at (0,3): no statement, because the table has no primary key
-- new: "a" = '11', "Odd, ""name" = 'x'

-- transaction 630, committed at 2026-11-28 04:49:34.717559Z
-- old: "a" = '2', "Odd, ""name" = NULL
-- delete of "public"."nokey", row at (0,2): no statement, because the table has no primary key

-- transaction 631, committed at 2026-11-28 04:49:34.718784Z
INSERT INTO "public"."made" ("id", "t") VALUES ('1', 'made 1') ON CONFLICT DO NOTHING;

-- transaction 631, committed at 2026-11-28 04:49:34.718784Z
INSERT INTO "public"."made" ("id", "t") VALUES ('2', 'made 2') ON CONFLICT DO NOTHING;

-- transaction 631, committed at 2026-11-28 04:49:34.718784Z
INSERT INTO "public"."made" ("id", "t") VALUES ('3', 'made 3') ON CONFLICT DO NOTHING;

-- transaction 633, committed at 2026-11-28 04:49:34.719996Z
-- insert of "public"."passing", row at (0,1): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'here'

-- transaction 633, committed at 2026-11-28 04:49:34.719996Z
-- insert of "public"."passing", row at (0,2): no statement, because the table was created and dropped after the divergence
-- new: "id" = '2', "t" = 'and gone'

-- transaction 634, committed at 2026-11-28 04:49:34.720571Z
-- old: "id" = '1', "t" = 'here'
-- update of "public"."passing", row at (0,3): no statement, because the table was created and dropped after the divergence
-- new: "id" = '1', "t" = 'changed'

-- transaction 636, committed at 2026-11-28 04:49:34.721243Z
SELECT lo_create('70003'::oid) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70003'::oid);

-- transaction 636, committed at 2026-11-28 04:49:34.721243Z
SELECT lo_put('70003'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x61206e6577206f626a656374'::bytea);

-- transaction 637, committed at 2026-11-28 04:49:34.721362Z
SELECT lo_put('70001'::oid, '0'::bigint * (current_setting('block_size')::bigint / 4), '\x616e204f424a454354206f66206265666f7265'::bytea);

-- transaction 638, committed at 2026-11-28 04:49:34.721472Z
SELECT lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '70002'::oid;

-- transaction 638, committed at 2026-11-28 04:49:34.721472Z
-- delete of "pg_catalog"."pg_largeobject", row at (0,2): no statement, because a piece cannot be removed on its own, whether it was cut off or its object was removed

-- transaction 639, committed at 2026-11-28 04:49:34.728901Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('150', 'copied', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

-- transaction 639, committed at 2026-11-28 04:49:34.728901Z
INSERT INTO "public"."orders" ("id", "customer", "total", "placed", "state", "tags", "doc", "who", "during", "seen", "raw", "open") VALUES ('151', 'copied, too', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ON CONFLICT DO NOTHING;

COMMIT;
