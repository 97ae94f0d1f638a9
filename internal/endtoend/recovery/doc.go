// Package recovery only has tests, about archives, and settings that control recovery.
package recovery
