// Go's program of the benchmarks: goroutines and channels, as Effective Go writes them.
//
//	bench ROW workers=1 n=1000000 ...
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type job struct{ words []string }

func (j job) text(name, otherwise string) string {
	for _, w := range j.words {
		if strings.HasPrefix(w, name+"=") {
			return w[len(name)+1:]
		}
	}
	return otherwise
}

func (j job) number(name string, otherwise int) int {
	n, err := strconv.Atoi(j.text(name, ""))
	if err != nil {
		return otherwise
	}
	return n
}

func statusBytes(name string) float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 1 && fields[0] == name+":" {
			kb, _ := strconv.ParseFloat(fields[1], 64)
			return kb * 1024
		}
	}
	return 0
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stopwatch measures what counts.
type stopwatch struct {
	begin    time.Time
	beginCPU time.Duration
}

func start() stopwatch { return stopwatch{time.Now(), cpu()} }

func (s stopwatch) printTime(bench string, n int) {
	wall, used := time.Since(s.begin), cpu()-s.beginCPU
	fmt.Printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"ns\",\"cpu\":%.6g}\n", bench,
		float64(wall)/float64(n), float64(used)/float64(n))
}

func (s stopwatch) printThroughput(bench string, n int) {
	wall, used := time.Since(s.begin), cpu()-s.beginCPU
	fmt.Printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"M/s\",\"cpu\":%.6g,\"peak_mb\":%.1f}\n", bench,
		float64(n)/float64(wall)*1e3, float64(used)/float64(n), statusBytes("VmHWM")/1e6)
}

func printResult(bench string, value float64, unit string) {
	fmt.Printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", bench, value, unit)
}

// warmed runs a tenth first, then the whole, timed.
func warmed(n int, run func(n int)) stopwatch {
	run(n / 10)
	s := start()
	run(n)
	return s
}

func main() {
	rows := map[string]func(job){
		"spawn_exit": spawnExit, "spawn_idle": spawnIdle, "ping_pong": pingPong, "ring": ring,
		"many_to_one": manyToOne, "one_to_many": oneToMany, "all_to_all": allToAll, "skynet": skynet,
		"call": call, "timer_set_cancel": timerSetCancel, "timer_lateness": timerLateness,
		"fairness": fairness, "idle": idle, "echo": echo,
	}
	if len(os.Args) < 2 || rows[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: bench ROW [name=value]...")
		os.Exit(2)
	}
	j := job{os.Args[2:]}
	runtime.GOMAXPROCS(j.number("workers", 1))
	rows[os.Args[1]](j)
}
