/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * features.c: photos are independent, so extraction runs one context of one
 * thread for each thread asked for and needs no lock but the one around the
 * next record. Reading goes through a read-only mapping; half precision is
 * widened through a table, because training reads each record hundreds of
 * times.
 */
#include "engine/lab/features.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/half.h"
#include "engine/limits.h"
#include "engine/model.h"

struct entry {
	char *key;		/* "m SIZE TIME NAME", m being 1 for mirrored */
	uint32_t record;
};

struct features {
	const struct engine_model *model;
	char *data_path, *index_path;
	int data, index;
	size_t pool, grid, classes;	/* values of a record */
	size_t record_size;		/* bytes */
	struct entry *entries;		/* by key */
	size_t entry_count;
	uint32_t record_count;
	const uint16_t *mapping;
	size_t mapping_size;
	float *table;			/* of all half-precision numbers */
};

/* --- Opening ------------------------------------------------------------------ */

static uint64_t hash_bytes(uint64_t value, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t i = 0;

	for (; i + 8 <= size; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		value = (value ^ word) * 0x9e3779b97f4a7c15u;
		value ^= value >> 29;
	}
	for (; i < size; i++)
		value = (value ^ bytes[i]) * 1099511628211u;
	return value;
}

static uint64_t hash_entry(uint64_t value, const struct gguf_entry *entry)
{
	value = hash_bytes(value, entry->key, strlen(entry->key));
	if (entry->type == GGUF_ARRAY && entry->element_type == GGUF_STRING) {
		for (size_t i = 0; i < entry->count; i++)
			value = hash_bytes(value, entry->value.strings[i],
					   strlen(entry->value.strings[i]));
		return value;
	}
	if (entry->type == GGUF_ARRAY)
		return hash_bytes(value, entry->value.elements,
				  entry->count * gguf_value_type_size(entry->element_type));
	if (entry->type == GGUF_STRING)
		return hash_bytes(value, entry->value.string, strlen(entry->value.string));
	return hash_bytes(value, &entry->value.number, sizeof(entry->value.number));
}

/* Of everything that decides the features: weights, and the graph with its scales. */
static uint64_t hash_encoder(const struct gguf *file)
{
	uint64_t value = 14695981039346656037u;

	for (size_t i = 0; i < gguf_tensor_count(file); i++) {
		const struct gguf_tensor *tensor = gguf_tensor_at(file, i);

		if (strncmp(tensor->name, "decoder.", 8) == 0 ||
		    strncmp(tensor->name, "confidence.", 11) == 0)
			continue;
		value = hash_bytes(value, tensor->name, strlen(tensor->name));
		value = hash_bytes(value, tensor->data, tensor->size);
	}
	for (size_t i = 0; i < gguf_entry_count(file); i++)
		if (strncmp(gguf_entry_at(file, i)->key, "descry.encoder.", 15) == 0)
			value = hash_entry(value, gguf_entry_at(file, i));
	return value;
}

static int make_folder(const char *path, struct engine_error *error)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return engine_fail_memory(error);
	for (char *slash = copy + 1; ; slash++) {
		char kept = *slash;

		if (kept != '/' && kept != '\0')
			continue;
		*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
			int code = errno;

			free(copy);
			return engine_fail(error, -code, "The folder %s cannot be made: %s.", path,
					   strerror(code));
		}
		*slash = kept;
		if (kept == '\0')
			break;
	}
	free(copy);
	return 0;
}

static int by_key(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return strcmp(a->key, b->key);
}

/* Reads the index; a last line without its end, or lines without their record,
 * are cut off. */
static int read_index(struct features *features, struct engine_error *error)
{
	FILE *file = fopen(features->index_path, "re");
	char *line = NULL;
	size_t room = 0, capacity = 0;
	struct stat status;
	off_t valid = 0;
	ssize_t length;
	uint32_t available;
	int r = 0;

	if (file == NULL)
		return engine_fail(error, -errno, "%s cannot be opened: %s.", features->index_path,
				   strerror(errno));
	if (fstat(features->data, &status) < 0) {
		r = engine_fail(error, -errno, "%s cannot be read: %s.", features->data_path,
				strerror(errno));
		goto out;
	}
	available = (uint32_t)((size_t)status.st_size / features->record_size);
	while (features->record_count < available && (length = getline(&line, &room, file)) > 0) {
		if (line[length - 1] != '\n')
			break;
		valid += length;
		line[length - 1] = '\0';
		if (features->entry_count == capacity) {
			struct entry *entries;

			capacity = capacity == 0 ? 1024 : capacity * 2;
			entries = reallocarray(features->entries, capacity, sizeof(*entries));
			if (entries == NULL) {
				r = engine_fail_memory(error);
				goto out;
			}
			features->entries = entries;
		}
		features->entries[features->entry_count].key = strdup(line);
		if (features->entries[features->entry_count].key == NULL) {
			r = engine_fail_memory(error);
			goto out;
		}
		features->entries[features->entry_count++].record = features->record_count++;
	}
	if (ftruncate(features->index, valid) < 0) {
		r = engine_fail(error, -errno, "%s cannot be written: %s.", features->index_path,
				strerror(errno));
		goto out;
	}
	if (features->entry_count > 0)
		qsort(features->entries, features->entry_count, sizeof(*features->entries), by_key);
out:
	free(line);
	fclose(file);
	return r;
}

static int map_data(struct features *features, struct engine_error *error)
{
	size_t size = (size_t)features->record_count * features->record_size;
	void *mapping;

	if (features->mapping != NULL)
		munmap((void *)features->mapping, features->mapping_size);
	features->mapping = NULL;
	features->mapping_size = size;
	if (size == 0)
		return 0;
	mapping = mmap(NULL, size, PROT_READ, MAP_SHARED, features->data, 0);
	if (mapping == MAP_FAILED)
		return engine_fail(error, -errno, "%s cannot be mapped: %s.", features->data_path,
				   strerror(errno));
	features->mapping = mapping;
	return 0;
}

int features_open(const struct engine_model *model, const char *folder,
		  struct features **ret_features, struct engine_error *error)
{
	const struct engine_model_info *info = engine_model_info(model);
	struct features *features = calloc(1, sizeof(*features));
	uint64_t key = hash_encoder(model->file);
	int r;

	if (features == NULL)
		return engine_fail_memory(error);
	features->data = features->index = -1;
	features->model = model;
	features->pool = info->pool_size;
	features->grid = (size_t)info->grid_width * info->grid_height * info->grid_channels;
	features->classes = info->class_count;
	features->record_size = (features->pool + features->grid + features->classes) * sizeof(uint16_t);
	r = make_folder(folder, error);
	if (r < 0)
		goto out;
	features->table = malloc(65536 * sizeof(*features->table));
	if (features->table == NULL ||
	    asprintf(&features->data_path, "%s/%016" PRIx64 ".features", folder, key) < 0 ||
	    asprintf(&features->index_path, "%s/%016" PRIx64 ".index", folder, key) < 0) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (uint32_t i = 0; i < 65536; i++)
		features->table[i] = half_to_float((uint16_t)i);
	features->data = open(features->data_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	features->index = open(features->index_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (features->data < 0 || features->index < 0) {
		r = engine_fail(error, -errno, "The feature cache in %s cannot be opened: %s.", folder,
				strerror(errno));
		goto out;
	}
	if (flock(features->index, LOCK_EX | LOCK_NB) < 0) {
		r = engine_fail(error, -errno,
				"Another run uses the feature cache in %s. Wait for it to end, or name another folder.",
				folder);
		goto out;
	}
	r = read_index(features, error);
	if (r == 0)
		r = map_data(features, error);
	if (r < 0)
		goto out;
	*ret_features = features;
	features = NULL;
out:
	features_free(features);
	return r;
}

struct features *features_free(struct features *features)
{
	if (features == NULL)
		return NULL;
	if (features->mapping != NULL)
		munmap((void *)features->mapping, features->mapping_size);
	for (size_t i = 0; i < features->entry_count; i++)
		free(features->entries[i].key);
	free(features->entries);
	if (features->data >= 0)
		close(features->data);
	if (features->index >= 0)
		close(features->index);
	free(features->data_path);
	free(features->index_path);
	free(features->table);
	free(features);
	return NULL;
}

/* --- Extraction ------------------------------------------------------------------ */

struct job {
	struct features *features;
	const struct features_request *request;
	char **keys;
	uint32_t *records;
	size_t *missing, missing_count;
	pthread_mutex_t lock;
	size_t next, done;
	int result;
	struct engine_error *error;
};

static void mirror(uint8_t *rgb, size_t width, size_t height)
{
	for (size_t y = 0; y < height; y++) {
		uint8_t *row = rgb + y * width * 3;

		for (size_t x = 0; x < width / 2; x++) {
			uint8_t *left = row + x * 3, *right = row + (width - 1 - x) * 3, kept[3];

			memcpy(kept, left, 3);
			memcpy(left, right, 3);
			memcpy(right, kept, 3);
		}
	}
}

/* The photo's features in half precision. Positive: the photo is at fault. */
static int compute(const struct job *job, struct engine_context *context, const char *name,
		   uint16_t *ret_record, struct engine_error *error)
{
	const struct features *features = job->features;
	const struct engine_model_info *info = engine_model_info(features->model);
	const struct engine_image_options options = { .wanted_width = info->input_width,
						      .wanted_height = info->input_height };
	const struct engine_features *values;
	struct engine_image *image = NULL;
	uint8_t *rgb = NULL;
	char *path;
	size_t at = 0;
	int fd, r;

	if (asprintf(&path, "%s/%s", job->request->folder, name) < 0)
		return engine_fail_memory(error);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = engine_fail(error, ENGINE_BAD_IMAGE, "%s cannot be opened: %s.", path,
				strerror(errno));
		free(path);
		return r;
	}
	r = engine_image_read(fd, &options, &image, error);
	close(fd);
	if (r > 0)
		engine_error_set(error, "%s cannot be read as a photo.", path);
	free(path);
	if (r == 0 && job->request->mirrored) {
		size_t width = engine_image_width(image), height = engine_image_height(image);

		rgb = malloc(width * height * 3);
		if (rgb == NULL) {
			r = engine_fail_memory(error);
			goto out;
		}
		memcpy(rgb, engine_image_pixels(image), width * height * 3);
		mirror(rgb, width, height);
		image = engine_image_free(image);
		r = engine_image_from_pixels(ENGINE_PIXELS_RGB, (unsigned)width, (unsigned)height,
					     width * 3, rgb, width * height * 3, &image, error);
	}
	if (r == 0)
		r = engine_encode(context, image, &values, error);
	if (r != 0)
		goto out;
	for (size_t i = 0; i < features->pool; i++)
		ret_record[at++] = half_from_float(values->pool[i]);
	for (size_t i = 0; i < features->grid; i++)
		ret_record[at++] = half_from_float(values->grid[i]);
	for (size_t i = 0; i < features->classes; i++)
		ret_record[at++] = half_from_float(values->classes[i]);
out:
	free(rgb);
	engine_image_free(image);
	return r;
}

/* Appends a record, then its line. Called with the lock held. */
static int append(struct features *features, const char *key, const uint16_t *record,
		  uint32_t *ret_number, struct engine_error *error)
{
	size_t length = strlen(key), written = 0;
	off_t offset = (off_t)((size_t)features->record_count * features->record_size);
	char *line;
	ssize_t n;

	while (written < features->record_size) {
		n = pwrite(features->data, (const char *)record + written,
			   features->record_size - written, offset + (off_t)written);
		if (n < 0)
			return engine_fail(error, -errno, "%s cannot be written: %s.",
					   features->data_path, strerror(errno));
		written += (size_t)n;
	}
	line = malloc(length + 1);
	if (line == NULL)
		return engine_fail_memory(error);
	memcpy(line, key, length);
	line[length] = '\n';
	n = write(features->index, line, length + 1);
	free(line);
	if (n != (ssize_t)length + 1)
		return engine_fail(error, n < 0 ? -errno : -ENOSPC, "%s cannot be written: %s.",
				   features->index_path, strerror(n < 0 ? errno : ENOSPC));
	*ret_number = features->record_count++;
	return 0;
}

static void *work(void *argument)
{
	struct job *job = argument;
	const struct features_request *request = job->request;
	const struct engine_context_options options = { .threads = 1 };
	uint16_t *record = malloc(job->features->record_size);
	struct engine_context *context = NULL;
	struct engine_error error = { "" };
	int r;

	r = record == NULL ? engine_fail_memory(&error) :
		engine_context_open(job->features->model, &options, &context, &error);
	pthread_mutex_lock(&job->lock);
	while (r == 0 && job->result == 0 && job->next < job->missing_count) {
		size_t photo = job->missing[job->next++];
		const char *problem = NULL;

		if (request->stop != NULL && atomic_load(request->stop)) {
			r = engine_fail(&error, ENGINE_CANCELLED, "The extraction of features was stopped.");
			break;
		}
		pthread_mutex_unlock(&job->lock);
		r = compute(job, context, request->names[photo], record, &error);
		pthread_mutex_lock(&job->lock);
		if (r == ENGINE_BAD_IMAGE || r == ENGINE_TOO_LARGE || r == ENGINE_UNSUPPORTED) {
			problem = error.message;
			r = 0;
		} else if (r == 0) {
			r = append(job->features, job->keys[photo], record, &job->records[photo], &error);
		}
		job->done++;
		if (r == 0 && request->progress != NULL)
			request->progress(request->user, job->done, request->count, problem);
	}
	if (r != 0 && job->result == 0) {
		job->result = r;
		if (job->error != NULL)
			*job->error = error;
	}
	pthread_mutex_unlock(&job->lock);
	engine_context_free(context);
	free(record);
	return NULL;
}

/* The photo's line in the index; a missing file gets one that never matches. */
static int make_key(const struct features_request *request, const char *name, char **ret_key)
{
	struct stat status = { 0 };
	char *path;

	if (asprintf(&path, "%s/%s", request->folder, name) < 0)
		return -ENOMEM;
	if (stat(path, &status) < 0)
		status.st_size = -1;
	free(path);
	return asprintf(ret_key, "%d %jd %jd.%09ld %s", request->mirrored, (intmax_t)status.st_size,
			(intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, name) < 0 ? -ENOMEM : 0;
}

int features_extract(struct features *features, const struct features_request *request,
		     uint32_t *ret_records, struct engine_error *error)
{
	unsigned threads = request->threads < 1 ? 1 :
		request->threads > LIMIT_THREADS ? LIMIT_THREADS : request->threads;
	struct job job = { .features = features, .request = request, .records = ret_records,
			   .error = error, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t workers[LIMIT_THREADS];
	unsigned started = 0;
	int r = 0;

	job.keys = calloc(request->count + 1, sizeof(*job.keys));
	job.missing = calloc(request->count + 1, sizeof(*job.missing));
	if (job.keys == NULL || job.missing == NULL) {
		r = engine_fail_memory(error);
		goto out;
	}
	for (size_t i = 0; i < request->count; i++) {
		const struct entry *found = NULL;
		struct entry wanted;

		if (strchr(request->names[i], '\n') != NULL) {
			r = engine_fail(error, -EINVAL, "A photo's file name has a line break: %s.",
					request->names[i]);
			goto out;
		}
		if (make_key(request, request->names[i], &job.keys[i]) < 0) {
			r = engine_fail_memory(error);
			goto out;
		}
		wanted.key = job.keys[i];
		if (features->entry_count > 0)
			found = bsearch(&wanted, features->entries, features->entry_count,
					sizeof(*features->entries), by_key);
		ret_records[i] = found == NULL ? FEATURES_ABSENT : found->record;
		if (found == NULL)
			job.missing[job.missing_count++] = i;
	}
	job.done = request->count - job.missing_count;
	if (job.missing_count == 0)
		goto out;
	for (; started + 1 < threads; started++)
		if (pthread_create(&workers[started], NULL, work, &job) != 0)
			break;
	work(&job);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i], NULL);
	r = job.result;
	if (r == 0)
		r = map_data(features, error);
	if (r == 0) {
		/* the new records are found by the next call too */
		struct entry *entries = reallocarray(features->entries,
						     features->entry_count + job.missing_count + 1,
						     sizeof(*entries));

		if (entries == NULL) {
			r = engine_fail_memory(error);
			goto out;
		}
		features->entries = entries;
		for (size_t i = 0; i < job.missing_count; i++) {
			size_t photo = job.missing[i];

			if (ret_records[photo] == FEATURES_ABSENT)
				continue;
			entries[features->entry_count++] = (struct entry){ job.keys[photo],
									   ret_records[photo] };
			job.keys[photo] = NULL;
		}
		qsort(entries, features->entry_count, sizeof(*entries), by_key);
	}
out:
	for (size_t i = 0; job.keys != NULL && i < request->count; i++)
		free(job.keys[i]);
	free(job.keys);
	free(job.missing);
	return r;
}

static void widen(const float *table, const uint16_t *halves, size_t count, float *ret_values)
{
	for (size_t i = 0; i < count; i++)
		ret_values[i] = table[halves[i]];
}

void features_get(const struct features *features, uint32_t record, float *ret_pool,
		  float *ret_grid, float *ret_classes)
{
	const uint16_t *values = features->mapping +
		(size_t)record * (features->record_size / sizeof(*values));

	widen(features->table, values, features->pool, ret_pool);
	values += features->pool;
	if (ret_grid != NULL)
		widen(features->table, values, features->grid, ret_grid);
	values += features->grid;
	if (ret_classes != NULL)
		widen(features->table, values, features->classes, ret_classes);
}
