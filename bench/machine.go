package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine describes the machine on which the numbers were measured.
func machine() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		name = model + ", " + name
	}
	name += fmt.Sprintf(", %d cores", runtime.NumCPU())
	var kB int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kB); err == nil {
		name += fmt.Sprintf(", %d GB of memory", (kB+1<<19)>>20)
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += ", Linux " + strings.TrimSpace(string(release))
	}
	return name
}

// field is the first value of a name in a file of lines "name: value".
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
