// Stands in for wollomatic/socket-proxy in tests, where that cannot be had: it reads the same command line and
// decides as that one's README says, on the same parts of Go's library. One regular expression per method and flag,
// with ^ and $ put around the text as it stands, matched against the decoded path; what has none is refused.
// Called by the name `healthcheck` it is the client of that name in the image: it asks the proxy beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS"}

// known says whether client, an IP address, belongs to one of hosts (names or networks).
func known(hosts []string, client net.IP) bool {
	for _, host := range hosts {
		if _, network, err := net.ParseCIDR(host); err == nil && network.Contains(client) {
			return true
		}
		addresses, _ := net.LookupIP(host) // a name that is unknown now is nobody
		for _, address := range addresses {
			if address.Equal(client) {
				return true
			}
		}
	}
	return false
}

const health = "127.0.0.1:55555"

// ask ends the process, with 0 when the proxy in the same container reaches its socket.
func ask() {
	answer, err := http.Head("http://" + health + "/health")
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatal("not healthy: ", answer, err)
	}
	os.Exit(0)
}

// tell answers whether socket can be reached now.
func tell(socket string) {
	log.Fatal(http.ListenAndServe(health, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		connection.Close()
	})))
}

func main() {
	if filepath.Base(os.Args[0]) == "healthcheck" {
		ask()
	}
	listen := flag.String("listenip", "127.0.0.1", "")
	port := flag.Int("proxyport", 2375, "")
	socket := flag.String("socketpath", "/var/run/docker.sock", "")
	from := flag.String("allowfrom", "127.0.0.1/32", "")
	flag.String("loglevel", "", "")
	checked := flag.Bool("allowhealthcheck", false, "")
	flag.Int("watchdoginterval", 0, "")
	flag.Bool("stoponwatchdog", false, "")
	allowed := map[string][]*regexp.Regexp{}
	for _, method := range methods {
		flag.Func("allow"+method, "", func(text string) error {
			compiled, err := regexp.Compile("^" + text + "$")
			allowed[method] = append(allowed[method], compiled)
			return err
		})
	}
	flag.Parse()
	if *checked {
		go tell(*socket)
	}
	docker := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	docker.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", *socket)
	}}
	decide := func(request *http.Request) int {
		client, _, _ := net.SplitHostPort(request.RemoteAddr)
		if !known(strings.Split(*from, ","), net.ParseIP(client)) {
			return http.StatusForbidden
		}
		if len(allowed[request.Method]) == 0 {
			return http.StatusMethodNotAllowed
		}
		for _, each := range allowed[request.Method] {
			if each.MatchString(request.URL.Path) {
				return http.StatusOK
			}
		}
		return http.StatusForbidden
	}
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		status := decide(request)
		log.Printf("%d %s %q", status, request.Method, request.URL.Path)
		if status == http.StatusOK {
			docker.ServeHTTP(answer, request)
		} else {
			http.Error(answer, "blocked", status)
		}
	})
	log.Fatal(http.ListenAndServe(fmt.Sprintf("%s:%d", *listen, *port), handler))
}
