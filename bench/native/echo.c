/* An echo over a Unix socket, both ends: what the machine itself can do.
 *   echo serve PATH      says `ready`, echoes until its standard input ends
 *   echo call PATH       obeys the orders of peer-client.mjs: echo PAYLOAD BYTES IN_FLIGHT CONNECTIONS DURATION_MS MAX_CALLS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 512, CHUNK_BYTES = 256 * 1024, MAX_CALLS = 20 * 1000 * 1000 };

/* What a server has read and not yet written, or where a client stands in what it writes and reads. */
struct connection {
  int fd;
  char *bytes;
  size_t filled, sent;
  /* client: bytes to be written, bytes come of the answer at the head, and when each call that waits began (a ring) */
  size_t owed, headBytes;
  double *begun;
  size_t first, count;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double nowUs(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static struct sockaddr_un addressOf(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) exit(1);
  strcpy(address.sun_path, path);
  return address;
}

static void watch(int poll, int operation, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(poll, operation, connection->fd, &event) < 0) fail("epoll_ctl");
}

/* Writes what was read before more is read: a buffer a connection is all that is held. */
static int echoOn(int poll, struct connection *c) {
  for (;;) {
    if (c->sent == c->filled) {
      ssize_t got = read(c->fd, c->bytes, CHUNK_BYTES);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return -1;
      if (got < 0) {
        watch(poll, EPOLL_CTL_MOD, c, EPOLLIN);
        return 0;
      }
      c->filled = got;
      c->sent = 0;
    }
    ssize_t sent = send(c->fd, c->bytes + c->sent, c->filled - c->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) {
      watch(poll, EPOLL_CTL_MOD, c, EPOLLOUT);
      return 0;
    }
    c->sent += sent;
  }
}

static void serve(const char *path) {
  struct sockaddr_un address = addressOf(path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 511) < 0) fail("listen");
  static struct connection doors[2];
  doors[0].fd = listener;
  doors[1].fd = STDIN_FILENO;
  watch(poll, EPOLL_CTL_ADD, &doors[0], EPOLLIN);
  watch(poll, EPOLL_CTL_ADD, &doors[1], EPOLLIN);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < count; i += 1) {
      struct connection *c = events[i].data.ptr;
      char order[64];
      if (c == &doors[1]) {
        if (read(STDIN_FILENO, order, sizeof order) <= 0) exit(0);
      } else if (c == &doors[0]) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) continue;
        struct connection *fresh = calloc(1, sizeof *fresh);
        fresh->fd = fd;
        fresh->bytes = malloc(CHUNK_BYTES);
        watch(poll, EPOLL_CTL_ADD, fresh, EPOLLIN);
      } else if (echoOn(poll, c) < 0) {
        close(c->fd);
        free(c->bytes);
        free(c);
      }
    }
  }
}

static struct connection connections[MAX_CONNECTIONS];
static int connected = 0;
static char *chunk;

static void connectOne(const char *path) {
  struct sockaddr_un address = addressOf(path);
  struct connection *c = &connections[connected++];
  c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void begin(struct connection *c, size_t bytes, size_t ring) {
  c->begun[(c->first + c->count) % ring] = nowUs();
  c->count += 1;
  c->owed += bytes;
}

static void writeOn(int poll, struct connection *c) {
  while (c->owed > 0) {
    size_t length = c->owed < CHUNK_BYTES ? c->owed : CHUNK_BYTES;
    ssize_t sent = send(c->fd, chunk, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail("send");
    if (sent < 0) break;
    c->owed -= sent;
  }
  watch(poll, EPOLL_CTL_MOD, c, c->owed > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int byTime(const void *a, const void *b) {
  float left = *(const float *)a, right = *(const float *)b;
  return left < right ? -1 : left > right;
}

static void callThem(size_t bytes, int inFlight, int count, double durationMs, long maxCalls) {
  static float *times;
  if (times == NULL) times = malloc(MAX_CALLS * sizeof *times);
  int poll = epoll_create1(0);
  long begun = 0, done = 0;
  double beganUs = nowUs(), endUs = beganUs + durationMs * 1000;
  for (int i = 0; i < count; i += 1) {
    struct connection *c = &connections[i];
    c->begun = calloc(inFlight, sizeof *c->begun);
    c->first = c->count = c->owed = c->headBytes = 0;
    watch(poll, EPOLL_CTL_ADD, c, EPOLLIN);
  }
  for (int i = 0; i < inFlight; i += 1, begun += 1) begin(&connections[i % count], bytes, inFlight);
  for (int i = 0; i < count; i += 1) writeOn(poll, &connections[i]);
  while (done < begun) {
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < ready; i += 1) {
      struct connection *c = events[i].data.ptr;
      static char answers[CHUNK_BYTES];
      ssize_t got = read(c->fd, answers, sizeof answers);
      if (got == 0 || (got < 0 && errno != EAGAIN)) fail("read");
      if (got > 0) c->headBytes += got;
      for (double us = nowUs(); c->headBytes >= bytes;) {
        c->headBytes -= bytes;
        if (done < MAX_CALLS) times[done] = us - c->begun[c->first];
        done += 1;
        c->first = (c->first + 1) % inFlight;
        c->count -= 1;
        if (us < endUs && begun < maxCalls && begun < MAX_CALLS) {
          begin(c, bytes, inFlight);
          begun += 1;
        }
      }
      writeOn(poll, c);
    }
  }
  double seconds = (nowUs() - beganUs) / 1e6;
  close(poll);
  for (int i = 0; i < count; i += 1) free(connections[i].begun);
  qsort(times, done, sizeof *times, byTime);
  printf("{\"calls\":%ld,\"seconds\":%.6f,\"p50Us\":%.1f,\"p99Us\":%.1f}\n", done, seconds, times[done / 2],
         times[(long)(done * 0.99)]);
  fflush(stdout);
}

static void obey(const char *path) {
  char line[256];
  chunk = calloc(1, CHUNK_BYTES);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    size_t bytes;
    int inFlight, count;
    double durationMs;
    long maxCalls;
    if (sscanf(line, "echo %*s %zu %d %d %lf %ld", &bytes, &inFlight, &count, &durationMs, &maxCalls) != 5) exit(2);
    while (connected < count && connected < MAX_CONNECTIONS) connectOne(path);
    callThem(bytes, inFlight, count, durationMs, maxCalls);
  }
}

int main(int count, char **words) {
  if (count != 3) return 2;
  if (strcmp(words[1], "serve") == 0) serve(words[2]);
  else obey(words[2]);
  return 0;
}
