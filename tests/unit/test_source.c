/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every driver but V4L2 (tests/integration has a camera for that) on a real
 * loop: fresh pictures, faults in words, limits, nothing left open. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/source.h"

static const char picture_path[] = "tests/photos/rocket.jpg";

struct bench {
	struct loop *loop;
	struct loop_source *timer;
	struct source *source;
	char folder[64];
	char *picture;
	size_t picture_size;
	/* what the last request came to */
	unsigned answers, frames;
	struct frame frame;
	char first_bytes[4];
	size_t last_size;
	uint64_t last_taken;
	struct source_error error;
	unsigned arrivals;
	char arrived_name[64];
	unsigned again;		/* takes this many more from inside the answer */
	bool timed_out;
};

static void on_timeout(void *data)
{
	struct bench *bench = data;

	bench->timed_out = true;
	loop_quit(bench->loop, 0);
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	FILE *file = fopen(picture_path, "rb");

	assert_non_null(file);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_open(&bench->loop), 0);
	assert_int_equal(loop_add_timer(bench->loop, on_timeout, bench, &bench->timer), 0);
	strcpy(bench->folder, "/tmp/descry-test-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	fseek(file, 0, SEEK_END);
	bench->picture_size = (size_t)ftell(file);
	rewind(file);
	bench->picture = malloc(bench->picture_size);
	assert_int_equal(fread(bench->picture, 1, bench->picture_size, file), bench->picture_size);
	fclose(file);
	*state = bench;
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	source_free(bench->source);
	loop_source_free(bench->timer);
	loop_free(bench->loop);
	nftw(bench->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(bench->picture);
	free(bench);
	return 0;
}

static void run_ms(struct bench *bench, unsigned ms)
{
	bench->timed_out = false;
	loop_start_timer(bench->timer, ms, 0);
	loop_run(bench->loop);
}

static void taken(void *data, const struct frame *frame, const struct source_error *error)
{
	struct bench *bench = data;

	bench->answers++;
	bench->error = (struct source_error){ 0 };
	if (frame) {
		bench->frames++;
		bench->last_size = frame->size;
		bench->last_taken = frame->taken_us;
		memcpy(bench->first_bytes, frame->data, sizeof(bench->first_bytes));
	} else {
		bench->error = *error;
	}
	if (bench->again) {
		bench->again--;
		assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, NULL), 0);
		return;
	}
	loop_quit(bench->loop, 0);
}

static struct source_settings settings_of(enum source_kind kind)
{
	return (struct source_settings){
		.name = "test", .kind = kind, .width = 640, .height = 480, .warm_ms = 200,
		.settle_frames = 0, .open_ms = 30000, .stall_ms = 30000, .picture_limit = 4 << 20,
	};
}

static void open_source(struct bench *bench, const struct source_settings *settings)
{
	struct source_error error = { 0 };

	bench->source = source_free(bench->source);
	assert_int_equal(source_open(bench->loop, settings, &bench->source, &error), 0);
}

/* Takes a picture that is to succeed. */
static void take(struct bench *bench)
{
	unsigned answers = bench->answers;
	uint64_t now = frame_clock();

	assert_int_equal(source_take(bench->source, now, taken, bench, NULL), 0);
	assert_int_equal(bench->answers, answers);
	run_ms(bench, 60000);
	assert_false(bench->timed_out);
	assert_string_equal(bench->error.message, "");
	assert_true(bench->last_taken >= now);
}

/* Takes one that is to fail. */
static void fail_with(struct bench *bench, enum source_status status, const char *words)
{
	assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, NULL), 0);
	run_ms(bench, 60000);
	assert_false(bench->timed_out);
	if (!strstr(bench->error.message, words))
		assert_string_equal(bench->error.message, words);
	assert_int_equal(bench->error.status, status);
}

/* --- files ---------------------------------------------------------------- */

static void files_come_in_turn(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FILES);

	settings.files = "tests/photos/rocket.jpg:tests/photos/co*.png";
	open_source(bench, &settings);
	take(bench);
	assert_memory_equal(bench->first_bytes, "\xff\xd8", 2);
	take(bench);
	assert_memory_equal(bench->first_bytes, "\x89PNG", 4);
	take(bench);
	assert_memory_equal(bench->first_bytes, "\xff\xd8", 2);
	bench->again = 20;
	take(bench);
	assert_int_equal(bench->frames, 3 + 21);
}

static void missing_and_wrong_files_are_named(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FILES);
	struct source_error error;
	struct source *source;

	settings.files = "/nowhere/at/all.jpg";
	assert_int_equal(source_open(bench->loop, &settings, &source, &error), SOURCE_ABSENT);
	assert_non_null(strstr(error.message, "finds no file"));
	settings.files = "README.md";
	open_source(bench, &settings);
	fail_with(bench, SOURCE_DAMAGED, "neither JPEG nor PNG");
}

/* --- commands ------------------------------------------------------------- */

static void a_command_that_writes_one_picture_runs_anew_each_time(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);

	settings.command = "cat 'tests/photos/rocket.jpg'";
	open_source(bench, &settings);
	for (int i = 0; i < 3; i++) {
		take(bench);
		assert_int_equal(bench->last_size, bench->picture_size);
	}
	run_ms(bench, 400);
	assert_string_equal(source_state(bench->source), "closed");
}

static void a_command_that_goes_on_is_a_stream_and_ends_after_the_warm_time(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);
	char command[256], path[128];

	settings.shell = true;
	snprintf(path, sizeof(path), "%s/ended", bench->folder);
	snprintf(command, sizeof(command),
		 "trap 'touch %s; exit' TERM; while :; do cat %s; sleep 0.02; done", path,
		 picture_path);
	settings.command = command;
	open_source(bench, &settings);
	bench->again = 5;
	take(bench);
	assert_int_equal(bench->frames, 6);
	assert_string_equal(source_state(bench->source), "running");
	for (int i = 0; i < 300 && access(path, F_OK); i++)
		run_ms(bench, 100);
	assert_string_equal(source_state(bench->source), "closed");
	assert_int_equal(access(path, F_OK), 0);
	/* and again */
	take(bench);
}

static void commands_that_fail_are_quoted(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);

	/* QEMU's vfork is a fork, so that posix_spawn cannot tell there what went wrong */
	if (!getenv("DESCRY_EMULATED")) {
		settings.command = "no-such-program-anywhere --now";
		open_source(bench, &settings);
		fail_with(bench, SOURCE_ABSENT, "no-such-program-anywhere is not installed");
	}
	settings.shell = true;
	settings.command = "echo first >&2; echo no sensor found >&2; exit 3";
	open_source(bench, &settings);
	fail_with(bench, SOURCE_ABSENT, "no sensor found");
	settings.command = "exit 7";
	open_source(bench, &settings);
	fail_with(bench, SOURCE_ABSENT, "ended with status 7");
	settings.command = "echo text";
	open_source(bench, &settings);
	fail_with(bench, SOURCE_SILENT, "ended without a picture");
	settings.command = "sleep 30";
	settings.open_ms = 150;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_SILENT, "sent no picture in time");
	settings.command = "while cat tests/photos/rocket.jpg; do sleep 0.02; done";
	settings.open_ms = 3000;
	settings.picture_limit = 10000;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_SILENT, "sent no picture in time");
}

static void a_command_line_needs_no_shell(void **state)
{
	char **words;

	(void)state;
	assert_int_equal(child_split("  a 'b c' \"d 'e\"\\\" f\\ g '' ", &words), 0);
	assert_string_equal(words[0], "a");
	assert_string_equal(words[1], "b c");
	assert_string_equal(words[2], "d 'e\"");
	assert_string_equal(words[3], "f g");
	assert_string_equal(words[4], "");
	assert_null(words[5]);
	child_free_arguments(words);
	assert_int_equal(child_split("a $(b) > c", &words), 0);
	assert_string_equal(words[1], "$(b)");
	assert_string_equal(words[2], ">");
	child_free_arguments(words);
	assert_int_equal(child_split("a 'b", &words), -EINVAL);
	assert_int_equal(child_split("a \\", &words), -EINVAL);
	assert_int_equal(child_split("   ", &words), -EINVAL);
}

/* A picture whose beginning is cut is dropped, and the next whole one counts. */
static void damaged_pictures_are_dropped(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);

	settings.shell = true;
	settings.command = "head -c 30000 tests/photos/rocket.jpg; "
			   "cat tests/photos/rocket.jpg; sleep 5";
	open_source(bench, &settings);
	take(bench);
	assert_int_equal(bench->last_size, bench->picture_size);
	settings.command = "while :; do printf '\\377\\330\\377\\331'; sleep 0.02; done";
	settings.open_ms = 3000;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_DAMAGED, "only damaged pictures");
}

static void a_failing_command_is_not_started_without_pause(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);
	char command[256], path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/starts", bench->folder);
	snprintf(command, sizeof(command), "printf x >>%s; exit 1", path);
	settings.shell = true;
	settings.command = command;
	open_source(bench, &settings);
	bench->again = 1000;
	source_take(bench->source, frame_clock(), taken, bench, NULL);
	run_ms(bench, 1200);
	assert_int_equal(stat(path, &status), 0);
	/* at 0, 250 and 750 ms */
	assert_in_range(status.st_size, 1, 3);
}

/* --- folders -------------------------------------------------------------- */

static void write_part(const char *path, const char *bytes, size_t size, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void arrived(void *data, const struct frame *frame, const char *name)
{
	struct bench *bench = data;

	bench->arrivals++;
	bench->last_size = frame->size;
	snprintf(bench->arrived_name, sizeof(bench->arrived_name), "%s", name);
}

static void only_complete_files_arrive(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FOLDER);
	struct source_error error;
	char path[128], other[128];

	snprintf(path, sizeof(path), "%s/old.jpg", bench->folder);
	write_part(path, bench->picture, bench->picture_size, 0);
	settings.folder = bench->folder;
	open_source(bench, &settings);
	assert_int_equal(source_on_arrival(bench->source, arrived, bench, &error), 0);
	/* in two sittings */
	snprintf(path, sizeof(path), "%s/new.jpg", bench->folder);
	write_part(path, bench->picture, 20000, 0);
	run_ms(bench, 100);
	assert_int_equal(bench->arrivals, 0);
	write_part(path, bench->picture + 20000, bench->picture_size - 20000, O_APPEND);
	run_ms(bench, 100);
	assert_int_equal(bench->arrivals, 1);
	assert_string_equal(bench->arrived_name, "new.jpg");
	assert_int_equal(bench->last_size, bench->picture_size);
	/* hidden, then renamed; text; a link; a pipe; a folder; over the limit */
	snprintf(path, sizeof(path), "%s/.upload", bench->folder);
	snprintf(other, sizeof(other), "%s/renamed", bench->folder);
	write_part(path, bench->picture, bench->picture_size, 0);
	run_ms(bench, 100);
	assert_int_equal(bench->arrivals, 1);
	assert_int_equal(rename(path, other), 0);
	run_ms(bench, 100);
	assert_int_equal(bench->arrivals, 2);
	assert_string_equal(bench->arrived_name, "renamed");
	snprintf(path, sizeof(path), "%s/text.jpg", bench->folder);
	write_part(path, "hello, this is no picture", 25, 0);
	snprintf(path, sizeof(path), "%s/link.jpg", bench->folder);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/pipe.jpg", bench->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/folder.jpg", bench->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	run_ms(bench, 100);
	assert_int_equal(bench->arrivals, 2);
}

static void a_request_waits_for_the_next_arrival(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FOLDER);
	char path[128];

	settings.folder = bench->folder;
	settings.open_ms = 150;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_SILENT, "No new picture came");
	settings.open_ms = 30000;
	open_source(bench, &settings);
	assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, NULL), 0);
	run_ms(bench, 50);
	snprintf(path, sizeof(path), "%s/a.jpg", bench->folder);
	write_part(path, bench->picture, bench->picture_size, 0);
	run_ms(bench, 30000);
	assert_int_equal(bench->frames, 1);
}

static void a_folder_that_goes_is_reported(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FOLDER);
	char path[128];

	snprintf(path, sizeof(path), "%s/in", bench->folder);
	settings.folder = path;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_ABSENT, "cannot be watched: No such file or directory");
	assert_int_equal(mkdir(path, 0700), 0);
	open_source(bench, &settings);
	assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, NULL), 0);
	run_ms(bench, 50);
	assert_int_equal(rmdir(path), 0);
	run_ms(bench, 30000);
	assert_int_equal(bench->error.status, SOURCE_LOST);
}

/* --- network cameras ------------------------------------------------------ */

struct server {
	int listener;
	unsigned port;
	pthread_t thread;
	const char *head;	/* of the answer */
	struct bench *bench;
	unsigned pictures;	/* then the connection is closed */
	bool parts, hang;
	atomic_uint requests;
};

static void *serve(void *data)
{
	struct server *server = data;
	int fd;

	while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		char request[4096];
		ssize_t n = recv(fd, request, sizeof(request), 0);
		bool ok = n > 0;

		atomic_fetch_add(&server->requests, 1);
		if (server->hang) {
			recv(fd, request, sizeof(request), 0);
			ok = false;
		}
		ok = ok && send(fd, server->head, strlen(server->head), MSG_NOSIGNAL) > 0;
		for (unsigned i = 0; ok && i < server->pictures; i++) {
			char part[128];

			snprintf(part, sizeof(part),
				 "--xyz\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n",
				 server->bench->picture_size);
			if (server->parts)
				send(fd, part, strlen(part), MSG_NOSIGNAL);
			ok = send(fd, server->bench->picture, server->bench->picture_size,
				  MSG_NOSIGNAL) > 0;
			if (server->parts) {
				send(fd, "\r\n", 2, MSG_NOSIGNAL);
				usleep(20000);
			}
		}
		close(fd);
	}
	return NULL;
}

static void start_server(struct server *server, struct bench *bench)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	server->bench = bench;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server->listener, 4), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop_server(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
}

static void use_server(struct bench *bench, struct server *server, struct source_settings *settings,
		       char url[64])
{
	snprintf(url, 64, "http://127.0.0.1:%u/video", server->port);
	settings->url = url;
	open_source(bench, settings);
}

static void a_network_camera_streams(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_HTTP);
	struct server server = {
		.head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; "
			"boundary=xyz\r\n\r\n",
		.parts = true, .pictures = 100000,
	};
	char url[64];

	start_server(&server, bench);
	use_server(bench, &server, &settings, url);
	bench->again = 5;
	take(bench);
	assert_int_equal(bench->frames, 6);
	assert_int_equal(atomic_load(&server.requests), 1);
	run_ms(bench, 500);
	assert_string_equal(source_state(bench->source), "closed");
	take(bench);
	assert_int_equal(atomic_load(&server.requests), 2);
	bench->source = source_free(bench->source);
	stop_server(&server);
}

static void a_network_camera_may_send_single_pictures(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_HTTP);
	struct server server = {
		.head = "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", .pictures = 1,
	};
	char url[64];

	start_server(&server, bench);
	use_server(bench, &server, &settings, url);
	take(bench);
	take(bench);
	assert_int_equal(bench->last_size, bench->picture_size);
	assert_int_equal(atomic_load(&server.requests), 2);
	bench->source = source_free(bench->source);
	stop_server(&server);
}

static void network_cameras_that_misbehave(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_HTTP);
	static const struct {
		const char *head;
		enum source_status status;
		const char *words;
	} cases[] = {
		{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		  SOURCE_REFUSED, "answers with a redirect, which is not followed" },
		{ "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", SOURCE_REFUSED,
		  "user name and password" },
		{ "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno", SOURCE_REFUSED, "status 500" },
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
		  SOURCE_REFUSED, "sends text/html instead of pictures" },
		{ "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 2\r\n\r\nno",
		  SOURCE_SILENT, "answered without a picture" },
		{ "rubbish\r\n\r\n", SOURCE_ABSENT, "cannot be reached" },
	};
	char url[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server server = { .head = cases[i].head };

		start_server(&server, bench);
		use_server(bench, &server, &settings, url);
		fail_with(bench, cases[i].status, cases[i].words);
		bench->source = source_free(bench->source);
		stop_server(&server);
	}
}

static void network_cameras_that_hang_or_flood(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_HTTP);
	struct server hanging = { .hang = true };
	struct server flooding = {
		.head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n",
		.pictures = 100000,
	};
	char url[64];

	settings.open_ms = 200;
	start_server(&hanging, bench);
	use_server(bench, &hanging, &settings, url);
	fail_with(bench, SOURCE_SILENT, "sent no picture in time");
	bench->source = source_free(bench->source);
	stop_server(&hanging);

	settings.open_ms = 30000;
	settings.picture_limit = 20000;
	start_server(&flooding, bench);
	use_server(bench, &flooding, &settings, url);
	fail_with(bench, SOURCE_DAMAGED, "over the limit of 20000 bytes");
	bench->source = source_free(bench->source);
	stop_server(&flooding);
	/* nobody listens any more */
	settings.url = url;
	open_source(bench, &settings);
	fail_with(bench, SOURCE_ABSENT, "cannot be reached");
}

static void only_http_addresses_are_taken(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_HTTP);
	static const char *const bad[] = { "file:///etc/passwd", "ftp://x/", "/tmp/x", NULL };
	struct source_error error;
	struct source *source;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		settings.url = bad[i];
		assert_int_equal(source_open(bench->loop, &settings, &source, &error),
				 SOURCE_REFUSED);
	}
}

/* --- requests ------------------------------------------------------------- */

static void a_cancelled_request_is_not_answered(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_FILES);
	struct source_request *request;

	settings.files = picture_path;
	open_source(bench, &settings);
	assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, &request), 0);
	assert_null(source_cancel(request));
	run_ms(bench, 50);
	assert_int_equal(bench->answers, 0);
	assert_string_equal(source_state(bench->source), "closed");
	/* and one that is still open when the source goes */
	assert_int_equal(source_take(bench->source, frame_clock(), taken, bench, &request), 0);
}

static void settling_waits_for_a_steady_brightness(void **state)
{
	struct bench *bench = *state;
	struct source_settings settings = settings_of(SOURCE_COMMAND);
	struct stat status;
	char command[512];

	/* the same picture again and again: the third frame shows two quiet steps */
	settings.shell = true;
	settings.settle_frames = 10;
	snprintf(command, sizeof(command),
		 "for i in 1 2 3 4 5; do cat %s; printf x >>%s/n; sleep 0.1; done; sleep 5",
		 picture_path, bench->folder);
	settings.command = command;
	open_source(bench, &settings);
	take(bench);
	snprintf(command, sizeof(command), "%s/n", bench->folder);
	assert_int_equal(stat(command, &status), 0);
	assert_in_range(status.st_size, 2, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_come_in_turn),
		TEST(missing_and_wrong_files_are_named),
		TEST(a_command_that_writes_one_picture_runs_anew_each_time),
		TEST(a_command_that_goes_on_is_a_stream_and_ends_after_the_warm_time),
		TEST(commands_that_fail_are_quoted),
		TEST(a_command_line_needs_no_shell),
		TEST(damaged_pictures_are_dropped),
		TEST(a_failing_command_is_not_started_without_pause),
		TEST(only_complete_files_arrive),
		TEST(a_request_waits_for_the_next_arrival),
		TEST(a_folder_that_goes_is_reported),
		TEST(a_network_camera_streams),
		TEST(a_network_camera_may_send_single_pictures),
		TEST(network_cameras_that_misbehave),
		TEST(network_cameras_that_hang_or_flood),
		TEST(only_http_addresses_are_taken),
		TEST(a_cancelled_request_is_not_answered),
		TEST(settling_waits_for_a_steady_brightness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
