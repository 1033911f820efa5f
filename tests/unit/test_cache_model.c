/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of fs/fuse/cache.h as a model that is looked through completely: every order in
 * which its threads can take their steps.
 *
 * There is one value. Two processes read it through the kernel's page cache, after looking at its
 * attributes or not. Two change it, by requests for another file (a window, so that the kernel does
 * not know), while one more reads it past the cache; or one of the two is a guest, whose own thread
 * changes it. Requests are handled by one thread, as from /dev/fuse, or by two, as with rings; one
 * more thread drops. A step is what happens under one lock of the daemon or of the kernel; the
 * comment at each says where it is in the code.
 *
 * The properties:
 *   - a read that begins after a change was acknowledged does not give an older value or time;
 *   - no read gives a mixture of two values;
 *   - as long as a request is without an answer or a drop not done, something goes on, and not in
 *     circles: so every write is acknowledged.
 *
 * Then each safeguard is taken out in turn, and the model has to show what it is good for.
 */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS 2
#define WRITERS 2
#define STEPS_MAX 24 /* that are possible in one state */
#define FIRST_SLOTS (1u << 16)

enum { PAGE = 1, ATTR = 2, STORE = 4 }; /* as enum vdf_cache_part */

enum safeguard {
    NOTHING,
    REPLY_BEHIND_DROPS,      /* vdf_reply_later() */
    SETTLE_BEFORE_GUEST,     /* vdf_cache_settle() */
    LATES_OF_THE_ROUND,      /* work() takes the replies when it takes the drops */
    NOTE_BEFORE_LOOK,        /* vdf_cache_note() before vdf_file_read() and fill_stat() */
    LET_GO_BEFORE_LOOK,      /* the same for what must not be kept */
    THREAD_OF_ITS_OWN,       /* cache_thread() drops, not who handles the request */
    DROP_WAITS_FOR_PAGE,     /* the kernel's invalidation of a locked page */
    NEWER_ATTRIBUTES_WIN,    /* the kernel's attribute versions */
    ASK_AGAIN_WHILE_DROPPED, /* drop() takes what was asked before it drops */
    PAGE_GOES_BEFORE_STORE,  /* drop() */
    SAME_TEXT_WHILE_STORED,  /* vdf_cache_text() */
    ANSWERS_TO_THE_END,      /* finish_drops() of the session */
    SAFEGUARDS,
};

struct setting {
    unsigned handlers; /* 1: /dev/fuse; 2: rings */
    bool guest;        /* the second who writes */
    enum { COLD, WARM, POLLED } start;
    enum safeguard without;
    const char *only; /* look for this only; NULL: for all that can go wrong */
};

enum reader_at {
    R_IDLE,
    R_STAT,      /* looks at the kernel's attributes */
    R_GETATTR,   /* its request waits for a handler */
    R_GETATTR_1, /* handled: noted */
    R_GETATTR_2, /* looked at the value */
    R_PAGE,      /* looks at the kernel's page */
    R_READ,      /* has locked the page, and waits for a handler */
    R_READ_1,
    R_READ_2,
    R_COPY,     /* copies out of the page that the kernel has */
    R_COPY_OLD, /* copies out of one that it has dropped meanwhile */
    R_DONE,
};

enum writer_at { W_IDLE, W_CHANGED, W_DROPS, W_LATE, G_CHANGED, G_NEXT, G_THIS, W_DONE };
enum thread_at { T_IDLE, T_ROUND, T_INVAL, T_PAGE, T_STORE, T_STORED, T_LATES, T_END };

/* Versions of the value are counted from 1; 0 is none. */
struct state {
    /* struct vdf_node */
    uint8_t value, noted, noted_value; /* `cached` */
    uint8_t drop, stored, storing;
    enum { NOT_QUEUED, IN_DROPS, IN_ROUND } queued : 8;
    /* struct vdf_fuse */
    uint8_t pending, busy, ended;
    /* the thread that drops */
    enum thread_at at : 8;
    uint8_t what;
    /* the kernel */
    uint8_t page, locked, attr;
    uint8_t acknowledged; /* the newest */
    struct {
        enum reader_at at : 8;
        uint8_t least, got;
        uint8_t kept;   /* may the answer be kept? */
        uint8_t beaten; /* by newer attributes */
    } readers[READERS];
    struct {
        enum writer_at at : 8;
        uint8_t version;
        enum { NOT_LATE, IN_LATES, OF_ROUND } late : 8;
    } writers[WRITERS];
    struct {
        enum { D_IDLE, D_READ, D_DONE } at : 8;
        uint8_t least;
    } direct;
};

struct slot {
    struct state state;
    enum { FREE, ON_PATH, LEFT } mark;
};

struct search {
    struct setting setting;
    struct slot *slots;
    size_t n_slots, used;
    const char *wrong; /* what does not hold */
    struct state next[STEPS_MAX];
    unsigned n_next;
};

/* --- the daemon ------------------------------------------------------------------------------- */

/* ask_drop() */
static void ask(struct state *s, unsigned what)
{
    s->drop |= what;
    if (s->queued == NOT_QUEUED)
        s->queued = IN_DROPS;
    s->pending = true;
}

/* vdf_cache_note(), under the lock of the device; a node that is polled is never noted. */
static bool note(const struct search *x, struct state *s, unsigned part)
{
    if (x->setting.start == POLLED)
        return false;
    s->noted_value = s->value;
    s->noted |= part;
    return true;
}

/* A write, and compare_value() before the lock of the device is released. */
static void change(struct state *s)
{
    s->value++;
    if (!s->noted)
        return;
    if (s->noted == (PAGE | ATTR)) {
        /* ask_store() */
        s->stored = s->value;
        s->noted_value = s->value;
        s->noted = PAGE;
        ask(s, STORE | ATTR);
    } else {
        ask(s, s->noted);
        s->noted = 0;
    }
}

static void acknowledge(struct state *s, unsigned k)
{
    s->writers[k].at = W_DONE;
    s->writers[k].late = NOT_LATE;
    if (s->acknowledged < s->writers[k].version)
        s->acknowledged = s->writers[k].version;
}

static bool can_handle(const struct search *x, const struct state *s)
{
    return s->busy < x->setting.handlers && !s->ended;
}

/* --- the kernel ------------------------------------------------------------------------------- */

static void fail(struct search *x, const char *wrong)
{
    if (!x->wrong && (!x->setting.only || strcmp(wrong, x->setting.only) == 0))
        x->wrong = wrong;
}

static void give(struct search *x, unsigned version, unsigned least)
{
    if (version < least)
        fail(x, "stale");
}

/* The first half of an invalidation, which does not wait. */
static void invalidate_attr(struct state *s)
{
    s->attr = 0;
    for (unsigned k = 0; k < READERS; k++)
        if (s->readers[k].at >= R_GETATTR && s->readers[k].at <= R_GETATTR_2)
            s->readers[k].beaten = true;
}

/* The second: with the lock of the page, when it is waited for. */
static void invalidate_page(struct state *s)
{
    s->page = 0;
    for (unsigned k = 0; k < READERS; k++)
        if (s->readers[k].at == R_COPY)
            s->readers[k].at = R_COPY_OLD;
}

static void store_page(struct search *x, struct state *s)
{
    for (unsigned k = 0; k < READERS; k++)
        if (s->readers[k].at == R_COPY && s->page != s->storing)
            fail(x, "mixed");
    s->page = s->storing;
}

/* --- steps ------------------------------------------------------------------------------------ */

static struct state *step(struct search *x, const struct state *s)
{
    cr_assert(x->n_next < STEPS_MAX);
    x->next[x->n_next] = *s;
    return &x->next[x->n_next++];
}

/* Which of the two steps of a request notes: the first, unless that is the safeguard taken out. */
static void handle_read(struct search *x, struct state *t, unsigned k, bool first, unsigned part)
{
    bool page = part == PAGE;

    if (first != (x->setting.without == NOTE_BEFORE_LOOK)) {
        t->readers[k].kept = note(x, t, part);
        if (page && !t->readers[k].kept && x->setting.without != LET_GO_BEFORE_LOOK)
            ask(t, PAGE); /* vdf_cache_drop_page() */
    } else {
        /* vdf_file_read() and vdf_cache_text() under the lock of the device; fill_stat() */
        bool same_text = page && t->storing && x->setting.without != SAME_TEXT_WHILE_STORED;
        t->readers[k].got = same_text ? t->storing : t->value;
    }
}

static void read_steps(struct search *x, const struct state *s, unsigned k)
{
    struct state *t;

    switch (s->readers[k].at) {
    case R_IDLE:
        /* A read that reaches past the end looks at the size first. */
        for (int stat = 0; stat < 2; stat++) {
            t = step(x, s);
            t->readers[k].least = s->acknowledged;
            t->readers[k].at = stat ? R_STAT : R_PAGE;
        }
        break;
    case R_STAT:
        t = step(x, s);
        if (s->attr)
            give(x, s->attr, s->readers[k].least);
        t->readers[k].at = s->attr ? R_PAGE : R_GETATTR;
        break;
    case R_GETATTR: /* reply_attr() */
    case R_READ:    /* vdf_fuse_read() */
        if (!can_handle(x, s))
            break;
        t = step(x, s);
        t->busy++;
        t->readers[k].at++;
        handle_read(x, t, k, true, s->readers[k].at == R_READ ? PAGE : ATTR);
        break;
    case R_GETATTR_1:
    case R_READ_1:
        t = step(x, s);
        t->readers[k].at++;
        handle_read(x, t, k, false, s->readers[k].at == R_READ_1 ? PAGE : ATTR);
        break;
    case R_GETATTR_2:
        t = step(x, s);
        t->busy--;
        if (s->readers[k].kept &&
            (!s->readers[k].beaten || x->setting.without == NEWER_ATTRIBUTES_WIN))
            t->attr = s->readers[k].got;
        give(x, s->readers[k].got, s->readers[k].least);
        t->readers[k].at = R_PAGE;
        break;
    case R_PAGE:
        /* A reader that finds the page locked waits, and looks again. */
        if (s->locked)
            break;
        t = step(x, s);
        if (s->page) {
            t->readers[k].got = s->page;
            t->readers[k].at = R_COPY;
        } else {
            t->locked = true;
            t->readers[k].at = R_READ;
        }
        break;
    case R_READ_2:
        t = step(x, s);
        t->busy--;
        if (!s->readers[k].kept && x->setting.without == LET_GO_BEFORE_LOOK)
            ask(t, PAGE);
        t->page = s->readers[k].got;
        t->locked = false;
        t->readers[k].at = R_COPY;
        break;
    case R_COPY:
    case R_COPY_OLD:
        t = step(x, s);
        give(x, s->readers[k].got, s->readers[k].least);
        memset(&t->readers[k], 0, sizeof(t->readers[k]));
        t->readers[k].at = R_DONE;
        break;
    case R_DONE:
        break;
    }
}

static void direct_steps(struct search *x, const struct state *s)
{
    struct state *t;

    if (s->direct.at == D_IDLE) {
        t = step(x, s);
        t->direct.least = s->acknowledged;
        t->direct.at = D_READ;
    } else if (s->direct.at == D_READ && can_handle(x, s)) {
        /* vdf_fuse_read() of a file that bypasses the page cache */
        t = step(x, s);
        give(x, s->value, s->direct.least);
        t->direct.least = 0;
        t->direct.at = D_DONE;
    }
}

static void guest_steps(struct search *x, const struct state *s, unsigned k)
{
    struct state *t;

    switch (s->writers[k].at) {
    case W_IDLE: /* vdf_obj_enter() to vdf_device_leave() */
        t = step(x, s);
        change(t);
        t->writers[k].version = t->value;
        t->writers[k].at = G_CHANGED;
        break;
    case G_CHANGED: /* vdf_cache_settle(): until the end of which round? */
        t = step(x, s);
        if (!s->pending || x->setting.without == SETTLE_BEFORE_GUEST)
            acknowledge(t, k);
        else if (s->queued == IN_DROPS)
            t->writers[k].at = G_NEXT;
        else if (s->at != T_IDLE)
            t->writers[k].at = G_THIS;
        else
            acknowledge(t, k);
        break;
    default: /* the thread that drops says when */
        break;
    }
}

static void write_steps(struct search *x, const struct state *s, unsigned k)
{
    struct state *t;

    switch (s->writers[k].at) {
    case W_IDLE: /* vdf_fuse_write() up to vdf_device_leave() */
        if (!can_handle(x, s))
            break;
        t = step(x, s);
        t->busy++;
        change(t);
        t->writers[k].version = t->value;
        t->writers[k].at = W_CHANGED;
        break;
    case W_CHANGED:
        t = step(x, s);
        if (x->setting.without == THREAD_OF_ITS_OWN && s->pending) {
            invalidate_attr(t);
            t->writers[k].at = W_DROPS;
            break;
        }
        t->busy--;
        /* vdf_reply_later() */
        if (s->pending && x->setting.without != REPLY_BEHIND_DROPS) {
            t->writers[k].at = W_LATE;
            t->writers[k].late = IN_LATES;
        } else {
            acknowledge(t, k);
        }
        break;
    case W_DROPS: /* not in the code: the handler itself waits for the page */
        if (s->locked)
            break;
        t = step(x, s);
        invalidate_page(t);
        t->pending = false;
        t->queued = NOT_QUEUED;
        t->drop = 0;
        t->busy--;
        acknowledge(t, k);
        break;
    default:
        break;
    }
}

/* work(): all that is asked for, and those who wait for it */
static void take_round(const struct search *x, struct state *t)
{
    if (t->queued == IN_DROPS)
        t->queued = IN_ROUND;
    for (unsigned k = 0; k < WRITERS; k++) {
        if (t->writers[k].late == IN_LATES && x->setting.without != LATES_OF_THE_ROUND)
            t->writers[k].late = OF_ROUND;
        if (t->writers[k].at == G_NEXT)
            t->writers[k].at = G_THIS;
    }
    t->at = T_ROUND;
}

/* drop(), under the lock of the nodes */
static void take_drop(const struct search *x, struct state *t)
{
    t->what = t->drop;
    if ((t->what & (STORE | PAGE)) == STORE)
        t->storing = t->stored;
    if (x->setting.without != ASK_AGAIN_WHILE_DROPPED) {
        t->drop = 0;
        t->queued = NOT_QUEUED;
    }
    t->at = T_INVAL;
}

static void after_drop(const struct search *x, struct state *t)
{
    t->what = 0;
    if (x->setting.without == ASK_AGAIN_WHILE_DROPPED) {
        t->drop = 0;
        t->queued = NOT_QUEUED;
    }
    t->at = T_LATES;
}

static void send_lates(struct search *x, const struct state *s)
{
    bool sent = false;

    for (unsigned k = 0; k < WRITERS && !sent; k++) {
        if (s->writers[k].late == OF_ROUND ||
            (s->writers[k].late == IN_LATES && x->setting.without == LATES_OF_THE_ROUND)) {
            acknowledge(step(x, s), k);
            sent = true;
        }
    }
    if (!sent)
        step(x, s)->at = T_END;
}

static void thread_steps(struct search *x, const struct state *s)
{
    bool in_place = x->setting.without == PAGE_GOES_BEFORE_STORE && s->storing;
    struct state *t;

    switch (s->at) {
    case T_IDLE: /* cache_thread() */
        if (s->pending && x->setting.without != THREAD_OF_ITS_OWN)
            take_round(x, step(x, s));
        break;
    case T_ROUND:
        t = step(x, s);
        if (s->queued == IN_ROUND)
            take_drop(x, t);
        else
            t->at = T_LATES;
        break;
    case T_INVAL: /* fuse_lowlevel_notify_inval_inode() */
        t = step(x, s);
        invalidate_attr(t);
        if (s->what & (PAGE | STORE))
            t->at = in_place ? T_STORE : T_PAGE;
        else
            after_drop(x, t);
        break;
    case T_PAGE:
        if (s->locked && x->setting.without != DROP_WAITS_FOR_PAGE)
            break;
        t = step(x, s);
        invalidate_page(t);
        if (s->storing)
            t->at = T_STORE;
        else
            after_drop(x, t);
        break;
    case T_STORE: /* store(): fuse_lowlevel_notify_store() locks the page */
        if (s->locked)
            break;
        t = step(x, s);
        store_page(x, t);
        t->at = T_STORED;
        break;
    case T_STORED:
        t = step(x, s);
        t->storing = 0;
        after_drop(x, t);
        break;
    case T_LATES:
        send_lates(x, s);
        break;
    case T_END: /* the end of work(), under the lock of the nodes */
        t = step(x, s);
        t->at = T_IDLE;
        t->pending = s->queued != NOT_QUEUED;
        for (unsigned k = 0; k < WRITERS; k++) {
            t->pending |= s->writers[k].late != NOT_LATE;
            if (s->writers[k].at == G_THIS)
                acknowledge(t, k);
        }
        break;
    }
}

/* --- the search ------------------------------------------------------------------------------- */

static bool is_finished(const struct state *s)
{
    bool finished = s->at == T_IDLE && !s->pending;

    /* The kernel answers for a daemon that has ended, when its thread has. */
    if (s->ended)
        return finished;
    for (unsigned k = 0; k < READERS; k++)
        finished &= s->readers[k].at == R_DONE;
    for (unsigned k = 0; k < WRITERS; k++)
        finished &= s->writers[k].at == W_DONE;
    return finished && s->direct.at == D_DONE;
}

static void find_steps(struct search *x, const struct state *s)
{
    x->n_next = 0;
    for (unsigned k = 0; k < READERS; k++)
        read_steps(x, s, k);
    for (unsigned k = 0; k < WRITERS; k++) {
        if (x->setting.guest && k == WRITERS - 1)
            guest_steps(x, s, k);
        else
            write_steps(x, s, k);
    }
    if (!x->setting.guest)
        direct_steps(x, s);
    thread_steps(x, s);
    if (x->setting.without == ANSWERS_TO_THE_END && !s->ended)
        step(x, s)->ended = true;
}

#define SORT(pair)                                                   \
    do {                                                             \
        if (memcmp(&(pair)[0], &(pair)[1], sizeof((pair)[0])) > 0) { \
            __typeof__((pair)[0]) first = (pair)[1];                 \
            (pair)[1] = (pair)[0];                                   \
            (pair)[0] = first;                                       \
        }                                                            \
    } while (0)

/* Which of two that do the same it is makes no difference. */
static void sort(const struct search *x, struct state *s)
{
    SORT(s->readers);
    if (!x->setting.guest)
        SORT(s->writers);
}

static uint64_t hash(const struct state *s)
{
    uint64_t words[(sizeof(*s) + 7) / 8] = { 0 }, sum = 0;

    memcpy(words, s, sizeof(*s));
    for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++) {
        sum = (sum ^ words[k]) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 32;
    }
    return sum;
}

static struct slot *find_slot(struct search *x, const struct state *s)
{
    size_t k = hash(s) & (x->n_slots - 1);

    while (x->slots[k].mark != FREE && memcmp(&x->slots[k].state, s, sizeof(*s)) != 0)
        k = (k + 1) & (x->n_slots - 1);
    return &x->slots[k];
}

static void grow(struct search *x)
{
    struct slot *before = x->slots;
    size_t n = x->n_slots;

    x->n_slots = n ? n * 2 : FIRST_SLOTS;
    x->slots = calloc(x->n_slots, sizeof(*x->slots));
    cr_assert_not_null(x->slots);
    for (size_t k = 0; k < n; k++)
        if (before[k].mark != FREE)
            *find_slot(x, &before[k].state) = before[k];
    free(before);
}

/* Depth first: a state that comes again on its own path would let the others wait for ever. */
static void visit(struct search *x, const struct state *s)
{
    struct slot *slot = find_slot(x, s);
    struct state next[STEPS_MAX];

    if (slot->mark == ON_PATH)
        fail(x, "in circles");
    if (slot->mark != FREE)
        return;
    slot->state = *s;
    slot->mark = ON_PATH;
    if (++x->used * 2 > x->n_slots)
        grow(x);
    find_steps(x, s);
    unsigned n = x->n_next;
    memcpy(next, x->next, n * sizeof(*next));
    if (n == 0 && !is_finished(s))
        fail(x, "stuck");
    for (unsigned k = 0; k < n && !x->wrong; k++) {
        sort(x, &next[k]);
        visit(x, &next[k]);
    }
    find_slot(x, s)->mark = LEFT;
}

/* Return: what does not hold, or NULL. */
static const char *search(struct setting setting, size_t *states)
{
    struct search x = { .setting = setting };
    struct state first;

    memset(&first, 0, sizeof(first));
    if (setting.guest)
        first.direct.at = D_DONE;
    first.value = 1;
    first.acknowledged = 1;
    if (setting.start == WARM) {
        first.page = 1;
        first.attr = 1;
        first.noted = PAGE | ATTR;
        first.noted_value = 1;
    }
    grow(&x);
    visit(&x, &first);
    free(x.slots);
    *states = x.used;
    return x.wrong;
}

/* The n-th of the settings with all safeguards. */
#define SETTINGS 12u
static struct setting nth(unsigned n)
{
    return (struct setting){ .handlers = 1 + n / 6, .guest = n % 2, .start = n / 2 % 3 };
}

static const char *describe(struct setting setting)
{
    static const char *const starts[] = { "nothing kept", "all kept", "polled" };
    static char text[64];

    snprintf(text, sizeof(text), "%u handler%s, %s, %s", setting.handlers,
             setting.handlers > 1 ? "s" : "", setting.guest ? "a guest" : "no guest",
             starts[setting.start]);
    return text;
}

Test(cache_model, holds)
{
    size_t states, all = 0;

    for (unsigned n = 0; n < SETTINGS; n++) {
        const char *wrong = search(nth(n), &states);
        printf("%s: %zu states\n", describe(nth(n)), states);
        cr_assert_null(wrong, "%s: %s", describe(nth(n)), wrong);
        all += states;
    }
    printf("%zu states\n", all);
}

static const struct {
    const char *name, *wrong;
} safeguards[SAFEGUARDS] = {
    [REPLY_BEHIND_DROPS] = { "replies wait for the drops", "stale" },
    [SETTLE_BEFORE_GUEST] = { "a guest waits for the drops", "stale" },
    [LATES_OF_THE_ROUND] = { "replies wait for the drops asked for before them", "stale" },
    [NOTE_BEFORE_LOOK] = { "a note before the value is looked at", "stale" },
    [LET_GO_BEFORE_LOOK] = { "a page let go of before the value is looked at", "stale" },
    [THREAD_OF_ITS_OWN] = { "a thread of its own", "stuck" },
    [DROP_WAITS_FOR_PAGE] = { "a drop waits for the page", "stale" },
    [NEWER_ATTRIBUTES_WIN] = { "newer attributes win", "stale" },
    [ASK_AGAIN_WHILE_DROPPED] = { "what is asked for while it is dropped is done again", "stale" },
    [PAGE_GOES_BEFORE_STORE] = { "the old page goes before the new is stored", "mixed" },
    [SAME_TEXT_WHILE_STORED] = { "who reads meanwhile gets the same text", "mixed" },
    [ANSWERS_TO_THE_END] = { "requests are answered until all is dropped", "stuck" },
};

/* With either transport, from one start at least. */
Test(cache_model, each_safeguard_is_needed)
{
    for (unsigned without = NOTHING + 1; without < SAFEGUARDS; without++) {
        const char *name = safeguards[without].name, *wrong = NULL;
        struct setting setting = { 0 };
        size_t states;

        for (unsigned n = 0; n < SETTINGS; n++) {
            if (n == SETTINGS / 2) {
                cr_assert_not_null(wrong, "one handler does without \"%s\"", name);
                wrong = NULL;
            }
            if (wrong)
                continue;
            setting = nth(n);
            setting.without = without;
            setting.only = safeguards[without].wrong;
            wrong = search(setting, &states);
            if (wrong)
                printf("without \"%s\", %s: %s\n", name, describe(setting), wrong);
        }
        cr_assert_not_null(wrong, "two handlers do without \"%s\"", name);
    }
}
