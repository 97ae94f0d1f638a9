// Package proxy is for tests: it simulates a bad network in front of a server: it delays, throttles, stalls and cuts, and
// counts what it carries.
package proxy
