package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

func spawnExit(j job) {
	n := j.number("n", 1000000)
	warmed(n, func(n int) {
		for left := n; left > 0; left -= 100 {
			var ended sync.WaitGroup
			ended.Add(100)
			for i := 0; i < 100; i++ {
				go func() { ended.Done() }()
			}
			ended.Wait()
		}
	}).printTime("spawn_exit", n)
}

// spawnWaiting starts n goroutines that wait for a message, and returns when all do.
func spawnWaiting(n int) []chan int {
	mailboxes := make([]chan int, n)
	var waiting sync.WaitGroup
	waiting.Add(n)
	for i := range mailboxes {
		mailbox := make(chan int)
		mailboxes[i] = mailbox
		go func() {
			waiting.Done()
			<-mailbox
		}()
	}
	waiting.Wait()
	return mailboxes
}

func spawnIdle(j job) {
	n := j.number("n", 1000000)
	few := spawnWaiting(1000)
	before := statusBytes("VmRSS")
	s := start()
	all := spawnWaiting(n)
	s.printTime("spawn_idle", n)
	// The slice of channels is ours, not theirs.
	printResult("idle_bytes", (statusBytes("VmRSS")-before)/float64(n)-8, "B")
	all[0] <- 1
	few[0] <- 1
}

func pingPong(j job) {
	n := j.number("n", 1000000)
	ping, pong := make(chan int), make(chan int)
	go func() {
		for p := range ping {
			pong <- p
		}
	}()
	done := make(chan bool)
	warmed(n, func(n int) {
		go func() {
			for i := 0; i < n; i++ {
				ping <- i
				<-pong
			}
			done <- true
		}()
		<-done
	}).printTime("ping_pong", n)
}

func ring(j job) {
	n, tokens, size := j.number("n", 1000000), j.number("tokens", 1), j.number("size", 503)
	stations := make([]chan int, size)
	for i := range stations {
		stations[i] = make(chan int, tokens)
	}
	finished := make(chan bool)
	for i := range stations {
		go func(from, to chan int) {
			for hops := range from {
				if hops == 0 {
					finished <- true
				} else {
					to <- hops - 1
				}
			}
		}(stations[i], stations[(i+1)%size])
	}
	bench := "ring_1"
	if tokens > 1 {
		bench = "ring_100"
	}
	warmed(n, func(n int) {
		for t := 0; t < tokens; t++ {
			stations[t*size/tokens] <- n / tokens
		}
		for t := 0; t < tokens; t++ {
			<-finished
		}
	}).printTime(bench, n)
}

// A channel always has a bound: 1000, as the other bounded mailboxes here.
func manyToOne(j job) {
	senders, each := j.number("senders", 20), j.number("n", 200000)
	warmed(each, func(each int) {
		mailbox := make(chan int, 1000)
		for s := 0; s < senders; s++ {
			go func() {
				for i := 0; i < each; i++ {
					mailbox <- i
				}
			}()
		}
		done := make(chan int)
		go func() {
			sum := 0
			for i := 0; i < each*senders; i++ {
				sum += <-mailbox
			}
			done <- sum
		}()
		<-done
	}).printThroughput("many_to_one", each*senders)
}

func oneToMany(j job) {
	receivers, each := j.number("receivers", 60), j.number("n", 200000)
	warmed(each, func(each int) {
		to := make([]chan int, receivers)
		done := make(chan int)
		for r := range to {
			to[r] = make(chan int, 1000)
			go func(mailbox chan int) {
				sum := 0
				for i := 0; i < each; i++ {
					sum += <-mailbox
				}
				done <- sum
			}(to[r])
		}
		go func() {
			for i := 0; i < each; i++ {
				for _, mailbox := range to {
					mailbox <- i
				}
			}
		}()
		for range to {
			<-done
		}
	}).printThroughput("one_to_many", each*receivers)
}

type mail struct {
	isPing bool
	from   int
}

func allToAll(j job) {
	size, each := j.number("size", 120), j.number("n", 10000)
	warmed(each, func(each int) {
		// Room for a ping of everybody else and a pong, so that nobody waits to send.
		mailboxes := make([]chan mail, size)
		for i := range mailboxes {
			mailboxes[i] = make(chan mail, size)
		}
		var played sync.WaitGroup
		played.Add(size)
		for i := range mailboxes {
			go func(own int) {
				left, next := each, own
				serve := func() {
					next = (next + 1) % size
					if next == own {
						next = (next + 1) % size
					}
					mailboxes[next] <- mail{true, own}
				}
				serve()
				for m := range mailboxes[own] {
					if m.isPing {
						mailboxes[m.from] <- mail{false, own}
					} else if left--; left > 0 {
						serve()
					} else {
						played.Done()
					}
				}
			}(i)
		}
		played.Wait()
		for _, m := range mailboxes {
			close(m)
		}
	}).printTime("all_to_all", each*size)
}

func branch(parent chan int, first, leaves int) {
	if leaves == 1 {
		parent <- first
		return
	}
	children, sum := make(chan int), 0
	for i := 0; i < 10; i++ {
		go branch(children, first+i*leaves/10, leaves/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	parent <- sum
}

func skynet(j job) {
	n := j.number("n", 1000000)
	s := warmed(n, func(n int) {
		root := make(chan int)
		go branch(root, 0, n)
		if <-root != n*(n-1)/2 {
			panic("the sum is wrong")
		}
	})
	printResult("skynet", float64(time.Since(s.begin))/1e6, "ms")
}

type request struct {
	by     int
	answer chan int
}

func call(j job) {
	n := j.number("n", 1000000)
	requests := make(chan request)
	go func() {
		value := 0
		for r := range requests {
			value += r.by
			r.answer <- value
		}
	}()
	done := make(chan bool)
	warmed(n, func(n int) {
		go func() {
			for i := 0; i < n; i++ {
				r := request{1, make(chan int, 1)}
				requests <- r
				<-r.answer
			}
			done <- true
		}()
		<-done
	}).printTime("call", n)
}

func timerSetCancel(j job) {
	n := j.number("n", 1000000)
	timers := make([]*time.Timer, n)
	warmed(n, func(n int) {
		for i := 0; i < n; i++ {
			timers[i] = time.AfterFunc(time.Minute+time.Duration(i%60000000)*time.Microsecond, func() {})
		}
		for i := 0; i < n; i++ {
			timers[i].Stop()
		}
	}).printTime("timer_set_cancel", n)
}

func timerLateness(j job) {
	n := j.number("n", 100000)
	late := make([]float64, n)
	var fired int64
	done := make(chan bool)
	begin := time.Now()
	for i := 0; i < n; i++ {
		due := begin.Add(500*time.Millisecond + time.Duration(float64(2*time.Second)/float64(n)*float64(i)))
		time.AfterFunc(time.Until(due), func() {
			k := atomic.AddInt64(&fired, 1)
			late[k-1] = float64(time.Since(due)) / 1e3
			if int(k) == n {
				done <- true
			}
		})
	}
	<-done
	time.Sleep(10 * time.Millisecond) // the last few may still write
	sort.Float64s(late)
	printResult("timer_lateness_p50", late[n/2], "us")
	printResult("timer_lateness_p99", late[n*99/100], "us")
}

func fairness(j job) {
	end := time.Now().Add(time.Duration(j.number("seconds", 3)) * time.Second)
	workers := j.number("workers", 1)
	if j.text("spin", "plain") == "none" {
		workers = 0
	}
	var spinning int32
	for i := 0; i < workers; i++ {
		go func() {
			atomic.AddInt32(&spinning, 1)
			for time.Now().Before(end.Add(100 * time.Millisecond)) {
				for k := 0; k < 1000; k++ {
					sink += k
				}
			}
		}()
	}
	for atomic.LoadInt32(&spinning) < int32(workers) {
		time.Sleep(time.Millisecond)
	}
	trips := make([]float64, 0, 30000000)
	ping, pong, done := make(chan int), make(chan int), make(chan bool)
	go func() {
		for p := range ping {
			pong <- p
		}
	}()
	served := time.Now()
	go func() {
		for {
			ping <- 1
			<-pong
			now := time.Now()
			trips = append(trips, float64(now.Sub(served))/1e3)
			if now.After(end) {
				break
			}
			served = now
		}
		done <- true
	}()
	<-done
	sort.Float64s(trips)
	printResult("fairness_p50", trips[len(trips)/2], "us")
	printResult("fairness_p99", trips[(len(trips)-1)*99/100], "us")
	printResult("fairness_max", trips[len(trips)-1], "us")
}

var sink int

func idle(j job) {
	all := spawnWaiting(j.number("n", 100000))
	fmt.Println("{\"ready\":true}")
	io.Copy(io.Discard, os.Stdin)
	all[0] <- 1
}
