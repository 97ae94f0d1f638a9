// Package recovery is nothing but tests, about archives, and settings that steer recovery.
package recovery
