/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of modreg_torture: main.c begins and ends it, readers.c asks,
 * writers.c makes plugins come and go.
 */
#ifndef _TORTURE_H
#define _TORTURE_H

#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include <modreg.h>

/* About half of the slots are in use: enough for an index of several chunks. */
enum {
	SLOTS = 96,
	WRITERS = 3,
	REGION_SIZE = 0x100,
	BATCH = 4,
	LOUD_ERRORS = 20,
};

/* The phase of a generation. It is registered from COMING to GOING. */
enum phase {
	GONE,		/* not found */
	FAILING,	/* its init callback has failed: gone at any moment */
	ARRIVING,	/* being registered: found at any moment */
	COMING,		/* in its init callback, with its init region */
	STARTED,	/* its init region goes at any moment */
	LIVE,		/* registered, without its init region */
	LEAVING,	/* being unregistered; LIVE again if that is refused */
	GOING,		/* in its exit callback */
	UNLINKING,	/* gone at any moment */
};

/* The symbols of a plugin. Each reaches to the next or to the region's end. */
enum place { LOCAL, EXPORTED, GPL, SHARED, DATA, INIT, PLACES };

struct torture_place {
	unsigned int region, offset, size;
	char type;
	unsigned char flags;
};

extern const struct torture_place places[PLACES];

/* A name that every plugin has. */
#define SHARED_NAME "torture_shared"

/* "torture_", 2 digits for the slot, 8 for the generation; in a symbol 1 more for the place. */
#define PREFIX "torture_"
#define NAME_LEN (sizeof(PREFIX) - 1 + 2 + 8 + 1 + 1)

enum region { TEXT_REGION, DATA_REGION, INIT_REGION, HOLE, REGIONS };

/*
 * A slot's memory, outside of this module, so that the kernel asks modreg about it: regions, the
 * last of which is never registered, and exception entries in reach of them.
 *
 * @extable: by the lowest bit of the generation, so a generation's entries stay during the next
 *	one.
 */
struct home {
	char regions[REGIONS][REGION_SIZE];
	struct exception_table_entry extable[2][2];
} __aligned(64);

extern struct home *homes;

/* A symbol table that modreg borrows. */
struct borrowed {
	struct elf64_sym symtab[1 + PLACES];
	char strtab[1 + PLACES * NAME_LEN + sizeof(SHARED_NAME)];
	char typetab[1 + PLACES];
};

struct slot {
	/* Generation, number of changes, and phase. Only the slot's writer changes it. */
	u64 word;
	/* How many readers may hold a reference, and how many have begun to. */
	atomic_t holders, pins;
	/* The rest is the writer's. */
	struct modreg_plugin *plugin;
	struct borrowed *borrowed;
	bool fails;
	struct modreg_symbol symbols[PLACES];
	char names[PLACES][NAME_LEN];
	char name[NAME_LEN];
};

extern struct slot slots[SLOTS];

/* The slot that a writer works on; readers ask about it more often. */
extern unsigned int hot;

/* Whether plugins have exception entries, without which the hooks may be taken out. */
extern bool entries;

/* Plugins that stay. */
extern unsigned int standing;
int begin_standing(void);
void end_standing(void);
bool is_standing(const char *plugin);

/* Odd while the hooks are in or on their way out or in. */
extern unsigned int switched;

/* Number of wrong answers. The first few are logged. */
extern atomic_long_t errors;

enum context { PROCESS, SOFTIRQ, HARDIRQ, NMI, CONTEXTS };

enum event { REGISTERED, FAILED, REFUSED, UNREGISTERED, IN_BATCHES, BUSY, EVENTS };

/* The word of a slot */

static inline u32 gen_of(u64 word)
{
	return word >> 32;
}

static inline enum phase phase_of(u64 word)
{
	return word & 0xff;
}

/* The barriers of a seqcount: a reader that sees the writer's next step sees the word too. */
static inline void enter(struct slot *s, enum phase phase)
{
	u64 word = READ_ONCE(s->word);
	u32 gen = gen_of(word) + (phase == ARRIVING);

	/* After all earlier steps, ... */
	smp_mb();
	WRITE_ONCE(s->word, (u64)gen << 32 | (((word & 0xffffff00) + 0x100) & 0xffffff00) | phase);
	/* ... and before all later ones. */
	smp_mb();
}

static inline u64 look(const struct slot *s)
{
	/* Before the question. */
	return smp_load_acquire(&s->word);
}

static inline u64 look_again(const struct slot *s)
{
	/* After the answer. */
	smp_mb();
	return READ_ONCE(s->word);
}

static inline bool there(u64 word)
{
	return phase_of(word) >= COMING && phase_of(word) <= GOING;
}

/* Returns whether a generation can be found between two looks. */
static inline bool possible(u64 before, u64 after, u32 gen, bool init)
{
	if (gen < gen_of(before) || gen > gen_of(after))
		return false;
	if (gen == gen_of(before))
		return phase_of(before) != GONE && !(init && phase_of(before) >= LIVE);
	return true;
}

/* Returns whether the generation of the first look must be found. */
static inline bool certain(u64 before, u64 after, bool init)
{
	if (init)
		return before == after && phase_of(before) == COMING;
	return gen_of(before) == gen_of(after) && there(before) && there(after);
}

/* Returns whether a generation has exports, which need a copied table: every other one. */
static inline bool exports(u32 gen)
{
	return !(gen & 1);
}

/* Names and addresses */

static inline unsigned int index_of(const struct slot *s)
{
	return s - slots;
}

static inline unsigned long address(const struct slot *s, enum place k)
{
	return (unsigned long)homes[index_of(s)].regions[places[k].region] + places[k].offset;
}

static inline unsigned long hole(const struct slot *s)
{
	return (unsigned long)homes[index_of(s)].regions[HOLE];
}

static inline unsigned long faulting(const struct slot *s, bool init)
{
	return address(s, init ? INIT : EXPORTED) + 4;
}

/*
 * The kernel acts on an entry that it finds, so its type must be one that it knows. 16 bits of
 * the generation fit beside it.
 */
static inline void mark_entry(struct exception_table_entry *e, u32 gen)
{
	WRITE_ONCE(e->data, EX_TYPE_DEFAULT | gen << 16);
}

/* Returns the generation of an entry, which is near another. */
static inline u32 entry_gen(const struct exception_table_entry *e, u32 near)
{
	return near + (s16)((READ_ONCE(e->data) >> 16) - near);
}

static inline unsigned int random(struct rnd_state *rnd, unsigned int below)
{
	return prandom_u32_state(rnd) % below;
}

static inline bool one_in(struct rnd_state *rnd, unsigned int n)
{
	return !random(rnd, n);
}

void name_plugin(char *name, const struct slot *s, u32 gen);
void name_symbol(char *name, const struct slot *s, u32 gen, enum place k);

int begin_readers(void);
void end_readers(void);
void free_readers(void);
unsigned long asked_in(enum context c);
bool readers_verdict(void);
void print_in_each_context(void);

int begin_writers(void);
void end_writers(void);
long happened(enum event e);

#endif
