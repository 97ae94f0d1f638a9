// Package proxy is for tests: a bad network before a server: it delays, throttles, stalls and cuts, and
// counts what it carries.
package proxy
