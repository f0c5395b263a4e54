// The floor of fan-out: the least that a server of one thread can do for the same clients. One epoll loop, one send() of ready bytes
// to each stream for each update; no tokens, no matching, nothing kept. GET opens a stream, POST sends what follows "data=" to all.
// Prints {"port": N}; answers each line on standard input with its processor time, and ends with its standard input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { maxStreams = 200000, maxRequest = 1 << 17 };

static int streams[maxStreams], streamCount;

static int listenOnLoopback(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (void *)&address, length) < 0 || listen(listener, 4096) < 0) exit(1);
  getsockname(listener, (void *)&address, &length);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void answerCommand(void) {
  char line[256];
  if (read(STDIN_FILENO, line, sizeof line) <= 0) exit(0);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  long long seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
  printf("{\"cpuMicros\":%lld}\n", seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  fflush(stdout);
}

static void acceptConnection(int epoll, int listener) {
  int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
  if (connection < 0) return;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event readable = {.events = EPOLLIN, .data.fd = connection};
  epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &readable);
}

static void forget(int connection) {
  close(connection);
  for (int i = 0; i < streamCount; i++)
    if (streams[i] == connection) {
      streams[i] = streams[--streamCount];
      return;
    }
}

static void openStream(int connection) {
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";
  if (send(connection, head, sizeof head - 1, MSG_NOSIGNAL) > 0 && streamCount < maxStreams)
    streams[streamCount++] = connection;
}

static void sendToAll(int connection, const char *request) {
  static char event[maxRequest + 128], chunk[maxRequest + 256];
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const char *body = strstr(request, "\r\n\r\n"), *data = body ? strstr(body, "data=") : NULL;
  int length = snprintf(event, sizeof event, "id: urn:uuid:01234567-0123-0123-0123-012345678901\ndata: %s\n\n",
                        data ? data + 5 : "");
  length = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", length, event);
  for (int i = 0; i < streamCount; i++)
    if (send(streams[i], chunk, length, MSG_NOSIGNAL) < 0) continue; // Closed: its read says so.
  if (send(connection, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) return;
}

int main(void) {
  static char request[maxRequest];
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int epoll = epoll_create1(0), listener = listenOnLoopback();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = STDIN_FILENO;
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  for (;;) {
    int count = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < count; i++) {
      int connection = events[i].data.fd;
      if (connection == STDIN_FILENO) answerCommand();
      else if (connection == listener) acceptConnection(epoll, listener);
      else {
        ssize_t length = read(connection, request, sizeof request - 1);
        if (length <= 0) {
          forget(connection);
          continue;
        }
        request[length] = 0;
        if (request[0] == 'G') openStream(connection);
        else sendToAll(connection, request);
      }
    }
  }
}
