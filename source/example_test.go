package source_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source"
)

// dataDirectory creates a directory that the examples can use as a data directory.
func dataDirectory() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for name, size := range map[string]int{"PG_VERSION": 3, "global/pg_control": 8192, "base/5/16384": 16384} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir
}

func ExampleOpenDir() {
	dir := dataDirectory()
	defer func() { _ = os.RemoveAll(dir) }()
	src, err := source.OpenDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = src.Close() }()

	var files []string
	for f, err := range src.Files(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if f.Type == pgdata.Regular {
			files = append(files, fmt.Sprintf("%s: %d bytes", f.Path, f.Size))
		}
	}
	slices.Sort(files)
	for _, f := range files {
		fmt.Println(f)
	}
	// Output:
	// PG_VERSION: 3 bytes
	// base/5/16384: 16384 bytes
	// global/pg_control: 8192 bytes
}

// printer is a Sink that prints what it receives.
type printer struct{}

func (printer) WriteAt(path string, data []byte, offset int64) error {
	fmt.Printf("%s: %d bytes at offset %d\n", path, len(data), offset)
	return nil
}

func (printer) Vanished(path string) error {
	fmt.Printf("%s is gone\n", path)
	return nil
}

// A file gives as many bytes as it has. Files come in any order.
func ExampleSource_Fetch() {
	dir := dataDirectory()
	defer func() { _ = os.RemoveAll(dir) }()
	src, err := source.OpenDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = src.Close() }()

	wanted := []source.Range{
		{Path: "base/5/16384", Offset: 8192, Length: 4096},
		{Path: "PG_VERSION", Length: 100},
		{Path: "base/5/99999", Length: 100},
	}
	if err := src.Fetch(context.Background(), slices.Values(wanted), printer{}); err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// base/5/16384: 4096 bytes at offset 8192
	// PG_VERSION: 3 bytes at offset 0
	// base/5/99999 is gone
}

func ExampleRelationName() {
	for _, name := range []source.RelationName{
		{Database: "shop", Schema: "public", Name: `"Order"`, Kind: source.Table},
		{Database: "shop", Schema: "public", Name: `"Order_pkey"`, Kind: source.Index, Table: `"Order"`},
		{Database: "shop", Schema: "public", Name: "pg_toast_16384", Kind: source.ToastTable, Table: `"Order"`},
	} {
		fmt.Println(name)
	}
	// Unordered output:
	// table public."Order"
	// index public."Order_pkey" on public."Order"
	// table public."Order" (toast)
}
