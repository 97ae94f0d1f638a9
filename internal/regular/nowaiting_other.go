//go:build !unix

package regular

// NoWaiting is nothing where no file makes who opens it wait.
const NoWaiting = 0
