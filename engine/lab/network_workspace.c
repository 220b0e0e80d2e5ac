/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * network_workspace.c: memory that passes take and give back as a whole.
 */
#include "engine/lab/network_parts.h"

#include <errno.h>
#include <stdlib.h>

int network_workspace_open(struct network_workspace **ret_workspace)
{
	struct network_workspace *workspace = calloc(1, sizeof(*workspace));

	if (workspace == NULL)
		return -ENOMEM;
	*ret_workspace = workspace;
	return 0;
}

static void drop_blocks(struct network_workspace *workspace)
{
	while (workspace->blocks != NULL) {
		struct block *next = workspace->blocks->next;

		free(workspace->blocks->values);
		free(workspace->blocks);
		workspace->blocks = next;
	}
}

struct network_workspace *network_workspace_free(struct network_workspace *workspace)
{
	if (workspace == NULL)
		return NULL;
	drop_blocks(workspace);
	free(workspace);
	return NULL;
}

static void push_block(struct network_workspace *workspace, size_t size)
{
	struct block *block = calloc(1, sizeof(*block));

	if (block != NULL)
		block->values = aligned_alloc(64, size * sizeof(real));
	if (block == NULL || block->values == NULL) {
		free(block);
		workspace->failed = true;
		return;
	}
	block->size = size;
	block->next = workspace->blocks;
	workspace->blocks = block;
}

void workspace_reset(struct network_workspace *workspace)
{
	size_t total = 0;

	workspace->failed = false;
	for (struct block *b = workspace->blocks; b != NULL; b = b->next) {
		total += b->size;
		b->used = 0;
	}
	if (workspace->blocks != NULL && workspace->blocks->next != NULL) {
		drop_blocks(workspace);
		push_block(workspace, total);
	}
}

/* Memory until the next reset; NULL (and the mark `failed`) when there is none. */
real *workspace_take(struct network_workspace *workspace, size_t count)
{
	real *values;

	count = (count + 63) & ~(size_t)63;
	if (workspace->failed)
		return NULL;
	if (workspace->blocks == NULL || workspace->blocks->size - workspace->blocks->used < count)
		push_block(workspace, count > 1 << 20 ? count : 1 << 20);
	if (workspace->failed)
		return NULL;
	values = workspace->blocks->values + workspace->blocks->used;
	workspace->blocks->used += count;
	return values;
}

real *workspace_take_zeros(struct network_workspace *workspace, size_t count)
{
	real *values = workspace_take(workspace, count);

	if (values != NULL)
		memset(values, 0, count * sizeof(*values));
	return values;
}
