// SPDX-License-Identifier: Apache-2.0

// Payload is the only program in the boot test's container image.
package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if err := act(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func act(verb string, arguments []string) error {
	switch verb {
	case "copy": // standard input to output, then a word on standard error
		_, err := io.Copy(os.Stdout, os.Stdin)
		fmt.Fprint(os.Stderr, "end")
		return err
	case "exit":
		code, err := strconv.Atoi(arguments[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "print": // a file
		text, err := os.ReadFile(arguments[0])
		fmt.Print(string(text))
		return err
	case "random":
		return random()
	case "clock":
		fmt.Println(time.Now().Format(time.RFC3339Nano))
	case "cwd":
		name, err := os.Getwd()
		fmt.Println(name)
		return err
	case "write":
		return os.WriteFile(arguments[0], []byte(arguments[1]), 0o644)
	case "fill": // a file, synced, until it fails
		return fill(arguments[0])
	case "grow": // a file to so many MiB, synced
		err := grow(arguments[0], arguments[1])
		if err != nil {
			fmt.Println(err)
		}
		return err
	case "remove":
		return os.Remove(arguments[0])
	case "hold": // until SIGTERM
		ask := make(chan os.Signal, 1)
		signal.Notify(ask, syscall.SIGTERM)
		fmt.Println("holding")
		<-ask
		os.Exit(7)
	case "who":
		name, err := os.Hostname()
		fmt.Println(name, os.Getpid(), os.Getuid())
		return err
	case "show": // the content of files, a line each
		for _, name := range arguments {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Println(strings.Join(strings.Fields(string(text)), " "))
		}
	case "eat": // memory, until killed
		var kept [][]byte
		for range 1024 {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		fmt.Println(len(kept))
	case "crowd": // takes memory until its own program is read from the disk again, and keeps it
		return crowd()
	case "reread": // a file, again and again, by mapping it
		return reread(arguments[0])
	case "head": // a byte of its input, and leaves the rest
		_, err := os.Stdin.Read(make([]byte, 1))
		return err
	case "inodes": // the names whose number differs between readdir and stat
		return inodes(arguments[0])
	case "mode":
		var stat syscall.Stat_t
		if err := syscall.Stat(arguments[0], &stat); err != nil {
			return err
		}
		fmt.Printf("%o %d:%d\n", stat.Mode, stat.Uid, stat.Gid)
	case "swell": // takes so many MiB and holds them
		return swell(arguments[0])
	case "spawn": // small programs, one after another
		return spawn(arguments[0], arguments[1:])
	case "compute":
		return compute(arguments[0])
	case "terminal": // says its size for each line it reads
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			var size [4]uint16
			_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
			if failed != 0 {
				return failed
			}
			fmt.Printf("%s %dx%d\n", lines.Text(), size[1], size[0])
		}
	case "ask": // a server, and prints what it answers
		return ask(arguments[0], arguments[1], arguments[2])
	case "talk": // a question for each line of its input, over one connection
		return talk(arguments[0], arguments[1])
	case "masquerade": // prints the packet filter's tables, with one of its own
		return masquerade()
	case "serve": // echo, over TCP
		return serve(arguments[0])
	default:
		return fmt.Errorf("what is %q?", verb)
	}
	return nil
}

func inodes(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	var own syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &own); err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	count := 0
	for {
		n, err := syscall.ReadDirent(int(file.Fd()), buffer)
		if err != nil || n == 0 {
			fmt.Println("compared", count)
			return err
		}
		for rest := buffer[:n]; len(rest) > 0; {
			entry := (*syscall.Dirent)(unsafe.Pointer(&rest[0]))
			_, _, names := syscall.ParseDirent(rest[:entry.Reclen], 1, nil)
			for _, name := range names { // without . and ..
				var stat syscall.Stat_t
				if err := syscall.Lstat(dir+"/"+name, &stat); err != nil {
					return err
				}
				if stat.Dev != own.Dev {
					continue // something is mounted there
				}
				if count++; stat.Ino != entry.Ino {
					fmt.Println(name, entry.Ino, stat.Ino)
				}
			}
			rest = rest[entry.Reclen:]
		}
	}
}

func swell(size string) error {
	count, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	block := make([]byte, count<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	fmt.Println("holding")
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGTERM)
	<-ask
	fmt.Println(len(block))
	return nil
}

// crowd ends with memory for less than what runs, and without asking for more.
func crowd() error {
	for {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		if usage.Majflt > 300 {
			break
		}
		block, err := syscall.Mmap(-1, 0, 64<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
	}
	fmt.Println("holding")
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGTERM)
	<-ask
	return nil
}

// reread touches a page of a file after another, as programs do with their text.
func reread(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	fmt.Println("holding")
	for sum := byte(0); ; time.Sleep(20*time.Millisecond + time.Duration(sum)) {
		for i := 0; i < len(text); i += 4096 {
			sum += text[i]
		}
	}
}

// spawn runs a program repeatedly, for the given time.
func spawn(limit string, arguments []string) error {
	patience, err := time.ParseDuration(limit)
	if err != nil {
		return err
	}
	count := 0
	for begin := time.Now(); time.Since(begin) < patience; count++ {
		if err := exec.Command(arguments[0], arguments[1:]...).Run(); err != nil {
			return err
		}
	}
	fmt.Println(count)
	return nil
}

// compute is work for the processor with much code: it packs, digests and
// formats, for the given number of rounds.
func compute(rounds string) error {
	count, err := strconv.Atoi(rounds)
	if err != nil {
		return err
	}
	words := make([]string, 0, 4096)
	for round := range count {
		words = words[:0]
		for i := range cap(words) {
			words = append(words, fmt.Sprintf("%08x", (i*2654435761+round)&0xffffffff))
		}
		slices.Sort(words)
		text, err := json.Marshal(words)
		if err != nil {
			return err
		}
		packed := gzip.NewWriter(io.Discard)
		if _, err := packed.Write(text); err != nil {
			return err
		}
		if err := packed.Close(); err != nil {
			return err
		}
		_ = sha256.Sum256(text)
	}
	fmt.Println("done")
	return nil
}

// fill gives up on a disk that accepts more than the tests give it.
func grow(path, size string) error {
	count, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for range count {
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return errors.Join(file.Sync(), file.Close())
}

func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for written := range 1 << 10 {
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			fmt.Println(written, "MiB:", err)
			return file.Close()
		}
		if err := file.Sync(); err != nil {
			fmt.Println(written, "MiB:", err)
			return file.Close()
		}
	}
	return fmt.Errorf("a full disk took a gigabyte")
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		if _, err := io.Copy(conn, conn); err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
}

// random prints what must differ between machines: the boot's ID, a new UUID, where
// the kernel put the stack, and digests of the generator's next MiB, 4 KiB each.
func random() error {
	for _, name := range []string{"boot_id", "uuid"} {
		text, err := os.ReadFile("/proc/sys/kernel/random/" + name)
		if err != nil {
			return err
		}
		fmt.Print(string(text))
	}
	stat, err := os.ReadFile("/proc/self/auxv") // AT_RANDOM's address is in the stack
	if err != nil {
		return err
	}
	fmt.Printf("%x\n", sha256.Sum256(stat))
	block := make([]byte, 4096)
	for range 256 {
		for read := 0; read < len(block); { // getrandom(2), not Go's own generator
			n, _, code := syscall.Syscall(318, uintptr(unsafe.Pointer(&block[read])), uintptr(len(block)-read), 0)
			if code != 0 {
				return code
			}
			read += int(n)
		}
		fmt.Printf("%x\n", sha256.Sum256(block))
	}
	return nil
}
