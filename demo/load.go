package main

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gorewind/gorewind/internal/pgtest/cluster"
)

const (
	accounts = 300_000
	clients  = 2                    // per load
	thinking = time.Millisecond     // between a client's transactions
	patience = 30 * time.Second     // how long to wait for transactions
	glance   = 5 * time.Millisecond // between two readings of a counter
)

// load is a group of clients that write to a server.
type load struct {
	n         *narrator
	name      string
	committed atomic.Int64 // transactions
	stopping  atomic.Bool
	clients   errgroup.Group
}

// startLoad starts clients that take payments. Every payment records which server took it.
func startLoad(n *narrator, c *cluster.Cluster, takenBy string) *load {
	l := &load{n: n, name: takenBy}
	for range clients {
		conn := c.Connect(n, "postgres")
		l.clients.Go(func() error {
			for !l.stopping.Load() {
				account, amount := 1+rand.IntN(accounts), 1+rand.IntN(100)
				if _, err := conn.Exec(context.Background(), transaction, account, amount, takenBy); err != nil {
					return err
				}
				l.committed.Add(1)
				time.Sleep(thinking)
			}
			return nil
		})
	}
	return l
}

const transaction = `
	WITH paid AS (UPDATE accounts SET balance = balance + $2 WHERE id = $1 RETURNING id)
	INSERT INTO payments (account, amount, taken_by) SELECT id, $2, $3 FROM paid`

// waitFor waits until that many transactions were committed.
func (l *load) waitFor(transactions int64) {
	for end := time.Now().Add(patience); l.committed.Load() < transactions; time.Sleep(glance) {
		if time.Now().After(end) {
			l.n.Fatalf("%s: %d transactions within %v", l.name, l.committed.Load(), patience)
		}
	}
}

// stop ends the load after the transactions in progress.
func (l *load) stop() error {
	l.stopping.Store(true)
	return l.clients.Wait()
}

// waitForCrash waits until the clients have lost the server.
func (l *load) waitForCrash() {
	if err := l.clients.Wait(); err == nil {
		l.n.fail(l.name + ": no client noticed that the server was killed")
	}
}
