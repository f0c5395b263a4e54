// The load of the bench: opens event streams, publishes, counts what arrives. One thread, one epoll, so that the machine's time goes
// to the server. Each line on standard input is a command, answered by one line of JSON on standard output:
//
//   connect COUNT PATH    opens COUNT streams; '#' in PATH is the number of the stream, from 0
//   stall COUNT PATH      the same, and they are never read
//   churn COUNT PATH      opens COUNT streams, a hundred at a time, each closed when its response has begun
//   publish COUNT AT_ONCE BYTES PER_UPDATE TOPICS RATE TOPIC
//                         publishes COUNT updates with BYTES of data, AT_ONCE at a time, and waits for PER_UPDATE deliveries of each;
//                         '#' in TOPIC (form-encoded) is the number of the update modulo TOPICS; RATE are updates a second, 0: as many
//                         as are answered
//   close                 closes all streams
//
// Arguments: PORT, and that of the server to publish to, where it is another. Environment: PUBLISHER_TOKEN, SUBSCRIBER_TOKEN (optional).
// Ends with its standard input.
// An update's data begins with ~nanoseconds~, the time before its request, or the one at which it was due at RATE, so that what is late
// counts as late: one such mark is one delivery.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { maxStreams = 200000, maxPublishers = 4096, maxData = 60000, readBytes = 1 << 20, connectsAtOnce = 100 };
static const uint64_t second = 1000000000ull, patience = 30 * 1000000000ull;
/** Of the clock's events; a stream's are its number, a publisher's its number and the highest bit. */
static const uint32_t clockData = 0xffffffffu;

typedef struct {
  int fd;
  int begun;
  /** Inside a mark, and its digits so far. */
  int inMark, digits;
  uint64_t time;
} Stream;

typedef struct {
  int fd;
  /** Waits for an answer, of which `length` bytes are here. */
  int busy, length;
  uint64_t sentAt;
  char answer[2048];
} Publisher;

enum { steps = 256, powers = 34 };

/** Counts of microseconds, in steps of at most 1/128 of the value. */
typedef struct {
  uint64_t counts[steps * powers];
  uint64_t total, max;
} Histogram;

static int port, publishPort, epoll;
static Stream streams[maxStreams];
static int streamCount, ended;
static Publisher publishers[maxPublishers];
static char buffer[readBytes];
static Histogram latencies, answers;
static uint64_t delivered, lastDelivery;
static int answered, refused;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "load: %s: %.300s\n", what, detail);
  exit(2);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second + time.tv_nsec;
}

static void record(Histogram *histogram, uint64_t micros) {
  int power = micros < steps ? 0 : 56 - __builtin_clzll(micros);
  if (power < powers) histogram->counts[power * steps + (micros >> power)]++;
  histogram->total++;
  if (micros > histogram->max) histogram->max = micros;
}

static double quantileMs(const Histogram *histogram, double quantile) {
  uint64_t before = 0, wanted = histogram->total * quantile;
  for (uint64_t index = 0; index < steps * powers; index++) {
    before += histogram->counts[index];
    if (before > wanted) return (index % steps << index / steps) / 1e3;
  }
  return histogram->max / 1e3;
}

/** Every 20,000 connections come from an address of their own, so that the ports of one do not run out. */
static int openConnection(int port) {
  static unsigned opened;
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + opened++ / 20000 % 200)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (fd < 0 || bind(fd, (void *)&from, sizeof from) < 0 || connect(fd, (void *)&to, sizeof to) < 0)
    fail("connecting", strerror(errno));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/** With a reset, so that no port waits for its connection's end. */
static void closeConnection(int fd) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

/** Copies `text` with its first '#' replaced by the number. */
static void number(char *target, size_t size, const char *text, int value) {
  const char *mark = strchr(text, '#');
  if (mark == NULL) snprintf(target, size, "%s", text);
  else snprintf(target, size, "%.*s%d%s", (int)(mark - text), text, value, mark + 1);
}

static void openStream(Stream *stream, const char *pathTemplate, int index, uint32_t eventData) {
  static char path[4096], request[8192];
  const char *token = getenv("SUBSCRIBER_TOKEN");
  number(path, sizeof path, pathTemplate, index);
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n", path, port,
                        token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
  *stream = (Stream){.fd = openConnection(port)};
  if (write(stream->fd, request, length) != length) fail("subscribing", strerror(errno));
  struct epoll_event readable = {.events = EPOLLIN, .data.u32 = eventData};
  epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &readable);
}

static void expectOk(void) {
  if (memcmp(buffer + 9, "200", 3) != 0) fail("a stream was refused", buffer);
}

/** Waits until of the streams from `first` all but `allowed` have a response. */
static void awaitResponses(int first, int *begun, int allowed) {
  struct epoll_event events[1024];
  while (streamCount - first - *begun > allowed) {
    int count = epoll_wait(epoll, events, 1024, 10000);
    if (count <= 0) fail("subscribing", "no stream has begun for 10 s");
    for (int i = 0; i < count; i++) {
      Stream *stream = &streams[events[i].data.u32];
      ssize_t length = read(stream->fd, buffer, readBytes - 1);
      if (length <= 0) fail("subscribing", "a stream was closed");
      buffer[length] = 0;
      if (stream->begun) continue;
      expectOk();
      stream->begun = 1;
      ++*begun;
    }
  }
}

static void openStreams(int count, const char *path, int stalled) {
  int first = streamCount, begun = 0;
  uint64_t started = now();
  if (streamCount + count > maxStreams) fail("subscribing", "too many streams");
  for (int i = 0; i < count; i++) {
    openStream(&streams[streamCount], path, i, streamCount);
    streamCount++;
    awaitResponses(first, &begun, connectsAtOnce);
  }
  awaitResponses(first, &begun, 0);
  double seconds = (now() - started) / 1e9;
  for (int i = first; stalled && i < streamCount; i++) epoll_ctl(epoll, EPOLL_CTL_DEL, streams[i].fd, NULL);
  printf("{\"perSecond\":%.1f}\n", count / seconds);
}

static void churn(int count, const char *path) {
  static Stream visitors[connectsAtOnce];
  uint64_t started = now();
  for (int done = 0; done < count;) {
    int wave = count - done < connectsAtOnce ? count - done : connectsAtOnce;
    for (int i = 0; i < wave; i++) openStream(&visitors[i], path, done + i, 0x40000000u | i);
    struct epoll_event events[connectsAtOnce];
    for (int left = wave; left > 0;) {
      int arrived = epoll_wait(epoll, events, connectsAtOnce, 10000);
      if (arrived <= 0) fail("subscribing", "no stream has begun for 10 s");
      for (int i = 0; i < arrived; i++) {
        // Streams that stay open may be written to meanwhile: what comes there is left for the next command.
        if (!(events[i].data.u32 & 0x40000000u)) continue;
        Stream *visitor = &visitors[events[i].data.u32 & 0x3fffffffu];
        ssize_t length = read(visitor->fd, buffer, readBytes - 1);
        if (length <= 0) fail("subscribing", "a stream was closed");
        buffer[length] = 0;
        expectOk();
        closeConnection(visitor->fd);
        left--;
      }
    }
    done += wave;
  }
  printf("{\"perSecond\":%.1f}\n", count / ((now() - started) / 1e9));
}

static void closeStreams(void) {
  for (int i = 0; i < streamCount; i++) closeConnection(streams[i].fd);
  streamCount = 0;
  printf("{}\n");
}

static void readStream(Stream *stream, uint64_t arrived) {
  ssize_t length = read(stream->fd, buffer, readBytes);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, stream->fd, NULL);
    ended++;
    return;
  }
  for (char *at = buffer, *end = buffer + length; at < end;) {
    if (!stream->inMark) {
      at = memchr(at, '~', end - at);
      if (at == NULL) return;
      at++;
      stream->inMark = 1;
      stream->time = stream->digits = 0;
      continue;
    }
    for (; at < end && *at != '~'; at++, stream->digits++) stream->time = stream->time * 10 + (*at - '0');
    if (at == end) return;
    at++;
    stream->inMark = 0;
    if (stream->digits < 10) continue;
    record(&latencies, (arrived - stream->time) / 1000);
    delivered++;
    lastDelivery = arrived;
  }
}

static void publish(Publisher *publisher, uint64_t at, int index, int bytes, int topics, const char *topicTemplate) {
  static char topic[2048], padding[maxData], body[maxData + 4096], request[maxData + 8192];
  if (padding[0] == 0) memset(padding, 'x', sizeof padding);
  number(topic, sizeof topic, topicTemplate, index % topics);
  publisher->sentAt = at;
  int markBytes = snprintf(NULL, 0, "~%llu~", (unsigned long long)publisher->sentAt);
  int length = snprintf(body, sizeof body, "topic=%s&data=~%llu~%.*s", topic, (unsigned long long)publisher->sentAt,
                        bytes > markBytes ? bytes - markBytes : 0, padding);
  length = snprintf(request, sizeof request,
                    "POST /.well-known/mercure HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
                    publishPort, getenv("PUBLISHER_TOKEN"), length, body);
  if (write(publisher->fd, request, length) != length) fail("publishing", "the request was not taken whole");
  publisher->busy = 1;
  publisher->length = 0;
}

/** Is the answer whole? Its length is in the head; without one it is in chunks, the last of them empty. */
static int isWhole(const Publisher *publisher) {
  const char *head = strstr(publisher->answer, "\r\n\r\n"), *field = strcasestr(publisher->answer, "\r\ncontent-length:");
  if (head == NULL) return 0;
  int body = publisher->length - (int)(head + 4 - publisher->answer);
  if (field != NULL && field < head) return body >= atoi(field + 17);
  return body >= 5 && memcmp(publisher->answer + publisher->length - 5, "0\r\n\r\n", 5) == 0;
}

static void readAnswer(Publisher *publisher, uint64_t arrived) {
  int room = (int)sizeof publisher->answer - 1 - publisher->length;
  ssize_t length = read(publisher->fd, publisher->answer + publisher->length, room);
  if (length <= 0) fail("publishing", room == 0 ? "the answer is too long" : "the connection was closed");
  publisher->length += length;
  publisher->answer[publisher->length] = 0;
  if (!isWhole(publisher)) return;
  if (memcmp(publisher->answer + 9, "200", 3) != 0 && refused++ == 0)
    fprintf(stderr, "load: a publish was refused: %.300s\n", publisher->answer);
  record(&answers, (arrived - publisher->sentAt) / 1000);
  publisher->busy = 0;
  answered++;
}

/** Wakes the loop so many times a second. */
static int openClock(int rate) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct timespec period = {.tv_sec = rate == 1, .tv_nsec = second / rate % second};
  struct itimerspec times = {.it_interval = period, .it_value = period};
  struct epoll_event ticks = {.events = EPOLLIN, .data.u32 = clockData};
  if (fd < 0 || timerfd_settime(fd, 0, &times, NULL) < 0) fail("publishing", strerror(errno));
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ticks);
  return fd;
}

static void publishAll(int count, int atOnce, int bytes, int perUpdate, int topics, int rate, const char *topic) {
  if (atOnce > maxPublishers || bytes > maxData || topics < 1 || rate < 0)
    fail("publishing", "too many publishers, too large, no topic, or no rate");
  memset(&latencies, 0, sizeof latencies);
  memset(&answers, 0, sizeof answers);
  delivered = 0;
  answered = refused = ended = 0;
  for (int i = 0; i < atOnce; i++) {
    publishers[i] = (Publisher){.fd = openConnection(publishPort)};
    struct epoll_event readable = {.events = EPOLLIN, .data.u32 = 0x80000000u | i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, publishers[i].fd, &readable);
  }
  uint64_t expected = (uint64_t)count * perUpdate, started = now(), time = started, lastNews = started, published = 0;
  int clock = rate > 0 ? openClock(rate) : -1;
  struct epoll_event events[1024];
  for (int sent = 0, turn = 0; (delivered < expected || answered < count) && time - lastNews < patience;) {
    // In turn, so that no connection is idle for so long that it is closed.
    for (int tried = 0; tried < atOnce && sent < count; tried++, turn = (turn + 1) % atOnce) {
      if (publishers[turn].busy) continue;
      uint64_t at = now(), due = rate > 0 ? started + sent * second / rate : at;
      if (due > at) break;
      publish(&publishers[turn], due, sent++, bytes, topics, topic);
    }
    int arrivals = epoll_wait(epoll, events, 1024, 100);
    time = now();
    if (arrivals > 0) lastNews = time;
    for (int i = 0; i < arrivals; i++) {
      uint32_t data = events[i].data.u32;
      if (data == clockData) (void)!read(clock, buffer, 8);
      else if (data & 0x80000000u) readAnswer(&publishers[data & 0x7fffffffu], time);
      else readStream(&streams[data], time);
    }
    if (answered == count && published == 0) published = time;
  }
  for (int i = 0; i < atOnce; i++) closeConnection(publishers[i].fd);
  if (clock >= 0) close(clock);
  if (delivered == 0) lastDelivery = time;
  printf("{\"deliveries\":%llu,\"expected\":%llu,\"answered\":%d,\"refused\":%d,\"ended\":%d,\"seconds\":%.6f,"
         "\"publishSeconds\":%.6f,\"latencyMs\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f},"
         "\"publishMs\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
         (unsigned long long)delivered, (unsigned long long)expected, answered, refused, ended,
         (lastDelivery - started) / 1e9, (published - started) / 1e9, quantileMs(&latencies, 0.5),
         quantileMs(&latencies, 0.99), latencies.max / 1e3, quantileMs(&answers, 0.5), quantileMs(&answers, 0.99),
         answers.max / 1e3);
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) fail("arguments", "PORT is expected, and perhaps that to publish to");
  port = atoi(argv[1]);
  publishPort = atoi(argv[argc - 1]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(0);
  static char line[8192], text[4096];
  int count, atOnce, bytes, perUpdate, topics, rate;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "connect %d %4095s", &count, text) == 2) openStreams(count, text, 0);
    else if (sscanf(line, "stall %d %4095s", &count, text) == 2) openStreams(count, text, 1);
    else if (sscanf(line, "churn %d %4095s", &count, text) == 2) churn(count, text);
    else if (sscanf(line, "publish %d %d %d %d %d %d %4095s", &count, &atOnce, &bytes, &perUpdate, &topics, &rate,
                    text) == 7)
      publishAll(count, atOnce, bytes, perUpdate, topics, rate, text);
    else if (strncmp(line, "close", 5) == 0) closeStreams();
    else fail("no such command", line);
    fflush(stdout);
  }
}
