/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lexicon.c: open addressing with linear probing over FNV-1a; words are kept as
 * separate allocations because lexicons live as long as a run and stay small.
 */
#include "engine/lab/lexicon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *word;
	uint64_t count;
};

struct lexicon {
	struct entry *entries;
	size_t size, room;
	uint32_t *slots;	/* index + 1, 0 when free */
	size_t slot_count;	/* a power of two */
};

static uint64_t hash(const char *word, size_t length)
{
	uint64_t value = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)word[i]) * 1099511628211u;
	return value;
}

int lexicon_open(struct lexicon **ret_lexicon)
{
	struct lexicon *lexicon = calloc(1, sizeof(*lexicon));

	if (lexicon == NULL)
		return -ENOMEM;
	lexicon->slot_count = 1024;
	lexicon->slots = calloc(lexicon->slot_count, sizeof(*lexicon->slots));
	if (lexicon->slots == NULL) {
		free(lexicon);
		return -ENOMEM;
	}
	*ret_lexicon = lexicon;
	return 0;
}

struct lexicon *lexicon_free(struct lexicon *lexicon)
{
	if (lexicon == NULL)
		return NULL;
	for (size_t i = 0; i < lexicon->size; i++)
		free(lexicon->entries[i].word);
	free(lexicon->entries);
	free(lexicon->slots);
	free(lexicon);
	return NULL;
}

/* The slot that holds the word or would. */
static size_t slot_of(const struct lexicon *lexicon, const char *word, size_t length)
{
	size_t slot = hash(word, length) & (lexicon->slot_count - 1);

	while (lexicon->slots[slot] != 0) {
		const char *other = lexicon->entries[lexicon->slots[slot] - 1].word;

		if (strncmp(other, word, length) == 0 && other[length] == '\0')
			break;
		slot = (slot + 1) & (lexicon->slot_count - 1);
	}
	return slot;
}

static int grow(struct lexicon *lexicon)
{
	if (lexicon->size == lexicon->room) {
		size_t room = lexicon->room == 0 ? 512 : lexicon->room * 2;
		struct entry *entries = reallocarray(lexicon->entries, room, sizeof(*entries));

		if (entries == NULL)
			return -ENOMEM;
		lexicon->entries = entries;
		lexicon->room = room;
	}
	if (lexicon->size * 2 >= lexicon->slot_count) {
		size_t count = lexicon->slot_count * 2;
		uint32_t *slots = calloc(count, sizeof(*slots));

		if (slots == NULL)
			return -ENOMEM;
		free(lexicon->slots);
		lexicon->slots = slots;
		lexicon->slot_count = count;
		for (size_t i = 0; i < lexicon->size; i++) {
			const char *word = lexicon->entries[i].word;

			slots[slot_of(lexicon, word, strlen(word))] = (uint32_t)i + 1;
		}
	}
	return 0;
}

int lexicon_add(struct lexicon *lexicon, const char *word, size_t length, uint32_t *ret_index)
{
	size_t slot = slot_of(lexicon, word, length);
	uint32_t index;

	if (lexicon->slots[slot] == 0) {
		char *copy;
		int r;

		if (lexicon->size >= LEXICON_WORDS_MAX)
			return -E2BIG;
		r = grow(lexicon);
		if (r < 0)
			return r;
		copy = strndup(word, length);
		if (copy == NULL)
			return -ENOMEM;
		lexicon->entries[lexicon->size] = (struct entry){ .word = copy };
		lexicon->size++;
		slot = slot_of(lexicon, word, length);
		lexicon->slots[slot] = (uint32_t)lexicon->size;
	}
	index = lexicon->slots[slot] - 1;
	/* a word that is found, or was added, has an entry */
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	lexicon->entries[index].count++;
	if (ret_index != NULL)
		*ret_index = index;
	return 0;
}

uint32_t lexicon_find(const struct lexicon *lexicon, const char *word, size_t length)
{
	return lexicon->slots[slot_of(lexicon, word, length)] - 1;
}

size_t lexicon_size(const struct lexicon *lexicon)
{
	return lexicon->size;
}

const char *lexicon_word(const struct lexicon *lexicon, uint32_t index)
{
	return lexicon->entries[index].word;
}

uint64_t lexicon_count(const struct lexicon *lexicon, uint32_t index)
{
	return lexicon->entries[index].count;
}

/* The next word of a split text and its length, or NULL. */
static const char *next_word(const char **text, size_t *ret_length)
{
	const char *word = *text;

	if (*word == '\0')
		return NULL;
	*ret_length = strcspn(word, " ");
	*text = word + *ret_length + (word[*ret_length] == ' ');
	return word;
}

int lexicon_add_all(struct lexicon *lexicon, const char *words)
{
	const char *word;
	size_t length;

	while ((word = next_word(&words, &length)) != NULL) {
		int r = lexicon_add(lexicon, word, length, NULL);

		if (r < 0)
			return r;
	}
	return 0;
}

static int by_frequency(const void *left, const void *right)
{
	const struct entry *a = *(const struct entry *const *)left;
	const struct entry *b = *(const struct entry *const *)right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->word, b->word);
}

int lexicon_to_vocabulary(const struct lexicon *counted, uint64_t minimum,
			  struct lexicon **ret_vocabulary)
{
	static const char *const marks[WORD_FIRST] = { "<pad>", "<s>", "</s>", "<unk>" };
	struct lexicon *vocabulary = NULL;
	const struct entry **sorted = malloc((counted->size + 1) * sizeof(*sorted));
	size_t kept = 0;
	int r = -ENOMEM;

	if (sorted == NULL)
		goto out;
	for (size_t i = 0; i < counted->size; i++)
		if (counted->entries[i].count >= minimum)
			sorted[kept++] = &counted->entries[i];
	qsort(sorted, kept, sizeof(*sorted), by_frequency);
	r = lexicon_open(&vocabulary);
	for (size_t i = 0; i < WORD_FIRST && r == 0; i++)
		r = lexicon_add(vocabulary, marks[i], strlen(marks[i]), NULL);
	for (size_t i = 0; i < kept && r == 0; i++) {
		uint32_t index;

		r = lexicon_add(vocabulary, sorted[i]->word, strlen(sorted[i]->word), &index);
		if (r == 0)
			vocabulary->entries[index].count = sorted[i]->count;
	}
	if (r == 0) {
		*ret_vocabulary = vocabulary;
		vocabulary = NULL;
	}
out:
	free(sorted);
	lexicon_free(vocabulary);
	return r;
}

int lexicon_encode(const struct lexicon *lexicon, const char *text, enum lexicon_use use,
		   uint32_t **ret_words, size_t *ret_count)
{
	uint32_t *words = malloc((strlen(text) / 2 + 1) * sizeof(*words));
	const char *word;
	size_t length, count = 0;

	if (words == NULL)
		return -ENOMEM;
	while ((word = next_word(&text, &length)) != NULL) {
		uint32_t index = lexicon_find(lexicon, word, length);

		if (index == LEXICON_ABSENT) {
			if (use == LEXICON_EXACT) {
				free(words);
				return -ENOENT;
			}
			index = WORD_UNKNOWN;
		}
		words[count++] = index;
	}
	*ret_words = words;
	*ret_count = count;
	return 0;
}
