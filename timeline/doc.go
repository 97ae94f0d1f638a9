// Package timeline reads timeline history files and finds out where the
// histories of two clusters diverge.
package timeline
