// Package recovery has only tests, about archives and the settings that control
// recovery.
package recovery
