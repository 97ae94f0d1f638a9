package pgsource_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/gorewind/gorewind/pgdata"
	"github.com/gorewind/gorewind/source/pgsource"
)

// If the role may not read files on the server, the error says which privileges it needs.
func ExampleOpen() {
	ctx := context.Background()
	server, err := pgsource.Open(ctx, "host=db2 user=rewind dbname=postgres", pgsource.Options{})
	var denied *pgsource.PrivilegeError
	if errors.As(err, &denied) {
		for _, grant := range denied.Grants() {
			fmt.Println(grant)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = server.Close() }()

	var bytes int64
	for file, err := range server.Files(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if file.Type == pgdata.Regular {
			bytes += file.Size
		}
	}
	fmt.Printf("%s, PostgreSQL %s, has %d bytes\n", server, server.Version(), bytes)
}
