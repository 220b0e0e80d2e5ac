/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_variant.c: JSON to D-Bus and back, the options of methods, and the
 * packets between the daemon and its worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/options.h"
#include "daemon/packet.h"
#include "daemon/phrase.h"
#include "daemon/variant.h"

static DBusMessage *message_with(json_t *object, DBusMessageIter *ret_iter)
{
	DBusMessage *message = dbus_message_new(DBUS_MESSAGE_TYPE_SIGNAL);
	DBusMessageIter iter;

	assert_non_null(message);
	dbus_message_iter_init_append(message, &iter);
	assert_true(variant_append_dictionary(&iter, object));
	assert_true(dbus_message_iter_init(message, ret_iter));
	return message;
}

static void round_trip(void **state)
{
	static const char text[] =
		"{\"caption\": \"A caf\\u00e9.\", \"confidence\": 0.25, \"sure\": true, \"n\": -7,"
		" \"words\": [{\"text\": \"a\", \"probability\": 1.0}, {\"text\": \"b\"}],"
		" \"warnings\": [\"one\", \"two\"], \"grid\": [[1, 2], [3, 4]],"
		" \"numbers\": [1, 2.5], \"mixed\": [1, \"x\", false], \"flags\": [true, false],"
		" \"empty\": [], \"nested\": {\"a\": {\"b\": {\"c\": 1}}}}";
	json_t *object = json_loads(text, 0, NULL), *back;
	DBusMessageIter iter;
	DBusMessage *message;

	(void)state;
	assert_non_null(object);
	message = message_with(object, &iter);
	assert_string_equal(dbus_message_get_signature(message), "a{sv}");
	back = variant_read(&iter);
	assert_non_null(back);
	/* a list with one fraction becomes a list of fractions */
	json_array_set_new(json_object_get(object, "numbers"), 0, json_real(1.0));
	assert_true(json_equal(object, back));
	json_decref(object);
	json_decref(back);
	dbus_message_unref(message);
}

static void too_deep(void **state)
{
	json_t *object = json_object();
	DBusMessageIter iter;
	DBusMessage *message;

	(void)state;
	for (unsigned i = 0; i < LIMIT_VARIANT_DEPTH; i++)
		object = json_pack("{s:o}", "in", object);
	message = message_with(object, &iter);
	assert_null(variant_read(&iter));
	json_decref(object);
	dbus_message_unref(message);
}

struct options {
	bool speak;
	unsigned beam;
	double level;
	char *language;
};

static const struct config_key keys[] = {
	{ "speak", CONFIG_BOOL, offsetof(struct options, speak), "yes", 0, 0, NULL, "" },
	{ "beam", CONFIG_NUMBER, offsetof(struct options, beam), "3", 1, 10, NULL, "" },
	{ "level", CONFIG_REAL, offsetof(struct options, level), "0", -1, 1, NULL, "" },
	{ "language", CONFIG_TEXT, offsetof(struct options, language), "", 0, 8, NULL, "" },
};

static int read_options(const char *text, struct options *options, struct failure *failure)
{
	json_t *object = json_loads(text, 0, NULL);
	DBusMessageIter iter;
	DBusMessage *message = message_with(object, &iter);
	int r = options_read(&iter, keys, sizeof(keys) / sizeof(*keys), options, failure);

	json_decref(object);
	dbus_message_unref(message);
	return r;
}

static void options_are_checked(void **state)
{
	static const char *const wrong[] = {
		"{\"beam\": 0}", "{\"beam\": 11}", "{\"beam\": -1}", "{\"beam\": \"3\"}",
		"{\"beam\": true}", "{\"beam\": 1.5}", "{\"speak\": 1}", "{\"speak\": \"yes\"}",
		"{\"level\": 1.01}", "{\"language\": \"much too long\"}", "{\"language\": 3}",
		"{\"shout\": true}", "{\"beam\": [3]}", "{\"beam\": {}}",
	};
	struct options options = { .speak = true, .beam = 3 };
	struct failure failure;

	(void)state;
	assert_int_equal(read_options("{\"speak\": false, \"beam\": 10, \"level\": -0.5, "
				      "\"language\": \"de\"}", &options, &failure), 0);
	assert_false(options.speak);
	assert_int_equal(options.beam, 10);
	assert_true(options.level == -0.5);
	assert_string_equal(options.language, "de");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		failure.kind = FAILURE_NONE;
		assert_int_not_equal(read_options(wrong[i], &options, &failure), 0);
		assert_int_equal(failure.kind, FAILURE_BAD_OPTION);
	}
	assert_int_equal(options.beam, 10);
	config_free_values(&options, keys, sizeof(keys) / sizeof(*keys));
	assert_null(options.language);
}

static void packets(void **state)
{
	json_t *object = json_pack("{s:i}", "job", 5), *back = NULL;
	int pair[2], file[2], fd = -1;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe(file), 0);
	assert_int_equal(packet_receive(pair[1], MSG_DONTWAIT, &back, &fd), -EAGAIN);
	assert_int_equal(packet_send(pair[0], object, file[0]), 0);
	assert_int_equal(packet_send(pair[0], object, -1), 0);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), 1);
	assert_true(json_equal(object, back));
	assert_true(fd >= 0 && fd != file[0]);
	assert_int_equal(write(file[1], "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	close(fd);
	json_decref(back);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), 1);
	assert_int_equal(fd, -1);
	json_decref(back);
	assert_int_equal(send(pair[0], "[1]", 3, 0), 3);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), -EBADMSG);
	assert_int_equal(send(pair[0], "{\"a\":", 5, 0), 5);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), -EBADMSG);
	close(pair[0]);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), 0);
	close(pair[1]);
	close(file[0]);
	close(file[1]);
	json_decref(object);
}

/* Its answer counts, whatever it left unread. */
static void last_words(void **state)
{
	json_t *object = json_pack("{s:i}", "job", 5), *back = NULL;
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(packet_send(pair[0], object, -1), 0);
	assert_int_equal(packet_send(pair[1], object, -1), 0);
	close(pair[1]);
	assert_int_equal(packet_receive(pair[0], 0, &back, &fd), 1);
	assert_true(json_equal(object, back));
	assert_int_equal(packet_receive(pair[0], 0, &back, &fd), 0);
	close(pair[0]);
	json_decref(back);
	json_decref(object);
}

static void packets_are_bounded(void **state)
{
	char *text = calloc(1, LIMIT_DOCUMENT_BYTES * 2 + 1);
	json_t *object, *back = NULL;
	int pair[2], fd;

	(void)state;
	assert_non_null(text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	memset(text, 'a', LIMIT_DOCUMENT_BYTES * 2);
	object = json_pack("{s:s}", "text", text);
	assert_int_equal(packet_send(pair[0], object, -1), -EMSGSIZE);
	assert_true(send(pair[0], text, LIMIT_DOCUMENT_BYTES * 2, 0) > 0);
	assert_int_equal(packet_receive(pair[1], 0, &back, &fd), -EBADMSG);
	json_decref(object);
	free(text);
	close(pair[0]);
	close(pair[1]);
}

static void phrases(void **state)
{
	json_t *details = json_loads("{\"confidence\": 0.314, \"warnings\": [\"It is dark.\"],"
				     " \"alternatives\": [{\"caption\": \"A cat.\"}]}", 0, NULL);
	char *text;

	(void)state;
	text = phrase_caption("A dog.", details, VERBOSITY_BRIEF);
	assert_string_equal(text, "A dog.");
	free(text);
	text = phrase_caption("A dog.", details, VERBOSITY_NORMAL);
	assert_string_equal(text, "It is dark. A dog.");
	free(text);
	text = phrase_caption("A dog.", details, VERBOSITY_FULL);
	assert_string_equal(text, "It is dark. A dog. Or: A cat. Confidence 31 per cent.");
	free(text);
	json_decref(details);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(packets),
		cmocka_unit_test(last_words),
		cmocka_unit_test(packets_are_bounded),
		cmocka_unit_test(phrases),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	dbus_shutdown();
	return failed;
}
