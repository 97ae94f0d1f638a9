package report

import "cmp"

// Words for people in place of the document's codes.

var kinds = map[string]string{
	KindMain:        "data of tables and indexes",
	"fsm":           "free space maps",
	"vm":            "visibility maps",
	"init":          "initial contents of unlogged tables",
	"wal":           "WAL",
	"slru":          "transaction status",
	"configuration": "configuration",
	"other":         "other files",
}

var actions = map[FileAction]string{
	ActionCreate:   "directories and links to create",
	ActionCopy:     "copied whole",
	ActionCopyTail: "copied beyond the target's end",
	ActionBlocks:   "changed blocks copied",
	ActionTruncate: "cut off",
	ActionRemove:   "removed",
	ActionRestore:  "WAL from the archive",
}

// shared is the document's name for the database of shared relations.
const shared = "global"

// KindWords describes files of a kind (Totals.ByKind).
func KindWords(kind string) string { return cmp.Or(kinds[kind], kind) }

// ActionWords describes what happens to files (Totals.ByAction).
func ActionWords(action string) string { return cmp.Or(actions[FileAction(action)], action) }

func tablespaceWords(name string) string { return "tablespace " + name }

func databaseWords(name string) string {
	if name == shared {
		return "shared by all databases"
	}
	return "database " + name
}
