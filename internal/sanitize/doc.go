// Package sanitize makes text harmless that came from outside: names of files,
// messages of servers, output of programs. What is printed or logged of it must
// not steer a terminal, look like another line, change the order of what is around
// it, or fill the screen.
package sanitize
