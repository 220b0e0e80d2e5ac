/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * camera.c: a V4L2 camera that is not there, for LD_PRELOAD.
 *
 * It answers open, ioctl, mmap and close for one path and serves chosen files as
 * frames, thirty a second, through a socket, which can be waited for like the real
 * device. What it does is read from a control file before each call, so that a
 * test can pull the plug while the daemon runs.
 *
 *   CAMERA_PATH     the device's path; every other call goes to the C library
 *   CAMERA_CONTROL  the control file: words separated by blanks
 *   CAMERA_FORMATS  offered, as "MJPG:640x480 YUYV:320x240"; default MJPG:640x480
 *
 * Words: file=PATH (what is shown: a JPEG for MJPG, raw bytes otherwise);
 * absent, busy, denied (open fails), busy-stream (STREAMON fails), refuse (every
 * format is refused), stall (no frames come), unplug (ENODEV from now on),
 * short (frames of half the length), corrupt (bytes in the middle are
 * overwritten), flagged (marked as broken), ramp=N (the first N frames after the
 * start are dark and grow brighter; raw formats only), slow=MS (STREAMON takes so
 * long).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { buffer_limit = 8, mode_limit = 16, frame_ns = 33000000 };
static const size_t buffer_size = 4 << 20;

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int ioctl(int fd, unsigned long number, ...);
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int close(int fd);

struct mode {
	uint32_t fourcc;
	unsigned width, height;
};

static struct {
	pthread_mutex_t lock;
	int fd;			/* the program's end of the socket */
	int timer;
	char control[1024];
	struct mode modes[mode_limit];
	unsigned mode_count;
	struct mode mode;
	void *buffers[buffer_limit];
	unsigned count;
	unsigned queue[buffer_limit], queued;
	unsigned served, sequence;
	bool running;
} camera = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .timer = -1 };

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- the control file ----------------------------------------------------- */

static void read_control(void)
{
	const char *path = getenv("CAMERA_CONTROL");
	int fd = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, camera.control, sizeof(camera.control) - 1) : 0;

	camera.control[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		REAL(close)(fd);
}

/* The value after `word`, "" for a plain word, or NULL. */
static const char *find_word(const char *word)
{
	static _Thread_local char value[512];
	size_t length = strlen(word);

	for (const char *p = camera.control; *p;) {
		size_t n;

		p += strspn(p, " \n");
		n = strcspn(p, " \n");
		if (n >= length && !strncmp(p, word, length) && (n == length || p[length] == '=')) {
			snprintf(value, sizeof(value), "%.*s", (int)(n - length),
				 p + length + (n > length));
			if (n > length)
				value[n - length - 1] = 0;
			return value;
		}
		p += n;
	}
	return NULL;
}

static void read_modes(void)
{
	const char *p = getenv("CAMERA_FORMATS");

	camera.mode_count = 0;
	for (p = p ? p : "MJPG:640x480"; *p && camera.mode_count < mode_limit;) {
		struct mode *mode = &camera.modes[camera.mode_count];
		char name[5];
		int n = 0;

		if (sscanf(p, " %4c:%ux%u%n", name, &mode->width, &mode->height, &n) < 3)
			break;
		mode->fourcc = v4l2_fourcc(name[0], name[1], name[2], name[3]);
		camera.mode_count++;
		p += n;
	}
}

/* --- frames --------------------------------------------------------------- */

static size_t raw_size(void)
{
	size_t pixels = (size_t)camera.mode.width * camera.mode.height;

	switch (camera.mode.fourcc) {
	case V4L2_PIX_FMT_YUYV:
		return pixels * 2;
	case V4L2_PIX_FMT_NV12:
		return pixels * 3 / 2;
	case V4L2_PIX_FMT_GREY:
		return pixels;
	default:
		return 0;
	}
}

/* Darkens the luminance by `part` of `whole`. */
static void darken(uint8_t *bytes, size_t size, unsigned part, unsigned whole)
{
	size_t step = camera.mode.fourcc == V4L2_PIX_FMT_YUYV ? 2 : 1;

	if (camera.mode.fourcc == V4L2_PIX_FMT_NV12)
		size = size * 2 / 3;
	for (size_t i = 0; i < size; i += step)
		bytes[i] = (uint8_t)(bytes[i] * part / whole);
}

static size_t fill(uint8_t *bytes)
{
	const char *path = find_word("file"), *ramp;
	int fd = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, bytes, buffer_size) : 0;
	size_t size = n > 0 ? (size_t)n : 0;

	if (fd >= 0)
		REAL(close)(fd);
	ramp = find_word("ramp");
	if (ramp && raw_size() && camera.served < (unsigned)atoi(ramp))
		darken(bytes, size, camera.served + 1, (unsigned)atoi(ramp));
	if (find_word("short"))
		size /= 2;
	if (find_word("corrupt") && size > 2000)
		memset(bytes + size / 4, 0xff, size / 2);
	return size;
}

static int dequeue(struct v4l2_buffer *buffer)
{
	struct timespec now;
	char tick;
	unsigned index;

	if (find_word("unplug"))
		return ENODEV;
	if (read(camera.fd, &tick, 1) != 1 || find_word("stall") || !camera.queued)
		return EAGAIN;
	index = camera.queue[0];
	camera.queued--;
	memmove(camera.queue, camera.queue + 1, camera.queued * sizeof(camera.queue[0]));
	clock_gettime(CLOCK_MONOTONIC, &now);
	buffer->index = index;
	buffer->bytesused = (uint32_t)fill(camera.buffers[index]);
	buffer->length = (uint32_t)buffer_size;
	buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC |
			(find_word("flagged") ? V4L2_BUF_FLAG_ERROR : 0u);
	buffer->timestamp.tv_sec = now.tv_sec;
	buffer->timestamp.tv_usec = now.tv_nsec / 1000;
	buffer->sequence = camera.sequence++;
	camera.served++;
	return 0;
}

/* Once: a camera without an empty buffer rests. */
static void run_timer(bool on)
{
	struct itimerspec time = { 0 };

	if (on)
		time.it_value.tv_nsec = frame_ns;
	timerfd_settime(camera.timer, 0, &time, NULL);
}

/* --- requests ------------------------------------------------------------- */

static int set_format(struct v4l2_format *format)
{
	const struct mode *best = &camera.modes[0];

	if (find_word("refuse"))
		return EINVAL;
	for (unsigned i = 0; i < camera.mode_count; i++)
		if (camera.modes[i].fourcc == format->fmt.pix.pixelformat &&
		    (best->fourcc != format->fmt.pix.pixelformat ||
		     camera.modes[i].width == format->fmt.pix.width))
			best = &camera.modes[i];
	camera.mode = *best;
	format->fmt.pix.pixelformat = best->fourcc;
	format->fmt.pix.width = best->width;
	format->fmt.pix.height = best->height;
	format->fmt.pix.bytesperline =
		best->fourcc == V4L2_PIX_FMT_MJPEG ? 0 :
		best->fourcc == V4L2_PIX_FMT_YUYV ? best->width * 2 : best->width;
	format->fmt.pix.sizeimage = (uint32_t)buffer_size;
	return 0;
}

/* The formats without repetition. */
static int list_format(struct v4l2_fmtdesc *description)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < camera.mode_count; i++) {
		bool again = false;

		for (unsigned j = 0; j < i; j++)
			again |= camera.modes[j].fourcc == camera.modes[i].fourcc;
		if (again || seen++ != description->index)
			continue;
		description->pixelformat = camera.modes[i].fourcc;
		return 0;
	}
	return EINVAL;
}

static int list_size(struct v4l2_frmsizeenum *size)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < camera.mode_count; i++) {
		if (camera.modes[i].fourcc != size->pixel_format || seen++ != size->index)
			continue;
		size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
		size->discrete.width = camera.modes[i].width;
		size->discrete.height = camera.modes[i].height;
		return 0;
	}
	return EINVAL;
}

static int start(void)
{
	const char *slow = find_word("slow");

	if (find_word("busy-stream"))
		return EBUSY;
	if (slow)
		usleep((useconds_t)atoi(slow) * 1000);
	camera.served = 0;
	camera.running = true;
	run_timer(true);
	return 0;
}

static int answer(unsigned long number, void *argument)
{
	struct v4l2_capability *capability = argument;
	struct v4l2_requestbuffers *buffers = argument;
	struct v4l2_buffer *buffer = argument;

	if (find_word("unplug"))
		return ENODEV;
	switch (number) {
	case VIDIOC_QUERYCAP:
		snprintf((char *)capability->card, sizeof(capability->card), "Pretended camera");
		capability->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		return 0;
	case VIDIOC_ENUM_FMT:
		return list_format(argument);
	case VIDIOC_ENUM_FRAMESIZES:
		return list_size(argument);
	case VIDIOC_S_FMT:
		return set_format(argument);
	case VIDIOC_REQBUFS:
		if (buffers->count > buffer_limit)
			buffers->count = buffer_limit;
		camera.count = buffers->count;
		camera.queued = 0;
		return 0;
	case VIDIOC_QUERYBUF:
		if (buffer->index >= camera.count)
			return EINVAL;
		buffer->length = (uint32_t)buffer_size;
		buffer->m.offset = buffer->index * (uint32_t)buffer_size;
		return 0;
	case VIDIOC_QBUF:
		if (buffer->index >= camera.count || camera.queued == buffer_limit)
			return EINVAL;
		camera.queue[camera.queued++] = buffer->index;
		if (camera.running)
			run_timer(true);
		return 0;
	case VIDIOC_DQBUF:
		return dequeue(buffer);
	case VIDIOC_STREAMON:
		return start();
	case VIDIOC_STREAMOFF:
		camera.running = false;
		run_timer(false);
		camera.queued = 0;
		return 0;
	default:
		return ENOTTY;
	}
}

/* --- the C library's functions ---------------------------------------------- */

static bool is_camera(const char *path)
{
	const char *ours = getenv("CAMERA_PATH");

	return ours && !strcmp(path, ours);
}

/* The device's side of an open camera: passes on the ticks of the timer, and hangs
 * up when the camera is unplugged, as the kernel does. Ends with the program's side. */
struct bus {
	int socket, timer, control;
};

static bool unplugged(const struct bus *bus)
{
	char events[4096];
	bool is;

	if (read(bus->control, events, sizeof(events)) < 0)
		return false;
	pthread_mutex_lock(&camera.lock);
	read_control();
	is = find_word("unplug");
	pthread_mutex_unlock(&camera.lock);
	return is;
}

static void *run_bus(void *userdata)
{
	struct bus *bus = userdata;
	struct pollfd waits[] = { { .fd = bus->socket }, { .fd = bus->timer, .events = POLLIN },
				  { .fd = bus->control, .events = POLLIN } };
	uint64_t expired;

	while (poll(waits, 3, -1) >= 0 && !waits[0].revents) {
		if (waits[1].revents && read(bus->timer, &expired, sizeof(expired)) > 0 &&
		    send(bus->socket, "", 1, MSG_NOSIGNAL) < 0)
			break;
		if (waits[2].revents && unplugged(bus))
			break;
	}
	pthread_mutex_lock(&camera.lock);
	if (camera.timer == bus->timer)
		camera.timer = -1;
	pthread_mutex_unlock(&camera.lock);
	REAL(close)(bus->socket);
	REAL(close)(bus->timer);
	REAL(close)(bus->control);
	free(bus);
	return NULL;
}

static void connect_bus(void)
{
	const char *path = getenv("CAMERA_CONTROL");
	struct bus *bus = malloc(sizeof(*bus));
	char folder[512];
	pthread_t thread;
	int ends[2];

	snprintf(folder, sizeof(folder), "%s", path ? path : "/tmp/x");
	*strrchr(folder, '/') = 0;
	if (!bus || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	bus->socket = ends[1];
	bus->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	bus->control = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	inotify_add_watch(bus->control, folder, IN_MOVED_TO);
	camera.timer = bus->timer;
	camera.fd = ends[0];
	if (pthread_create(&thread, NULL, run_bus, bus))
		abort();
	pthread_detach(thread);
}

static int open_camera(void)
{
	int error = 0;

	pthread_mutex_lock(&camera.lock);
	read_control();
	read_modes();
	if (find_word("absent") || find_word("unplug"))
		error = ENOENT;
	else if (find_word("busy"))
		error = EBUSY;
	else if (find_word("denied"))
		error = EACCES;
	else if (camera.fd >= 0)
		error = EBUSY;
	else
		connect_bus();
	pthread_mutex_unlock(&camera.lock);
	if (error) {
		errno = error;
		return -1;
	}
	return camera.fd;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	if (is_camera(path))
		return open_camera();
	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	if (is_camera(path))
		return open_camera();
	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return REAL(open)(path, flags, mode);
}

int ioctl(int fd, unsigned long number, ...)
{
	va_list arguments;
	void *argument;
	int error;

	va_start(arguments, number);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (fd < 0 || fd != camera.fd)
		return REAL(ioctl)(fd, number, argument);
	pthread_mutex_lock(&camera.lock);
	read_control();
	error = answer(number, argument);
	pthread_mutex_unlock(&camera.lock);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	unsigned index = (unsigned)((size_t)offset / buffer_size);
	void *memory;

	if (fd < 0 || fd != camera.fd)
		return REAL(mmap)(address, size, protection, flags, fd, offset);
	memory = REAL(mmap)(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED && index < buffer_limit)
		camera.buffers[index] = memory;
	return memory;
}

int close(int fd)
{
	if (fd >= 0 && fd == camera.fd)
		camera.fd = -1;
	return REAL(close)(fd);
}
