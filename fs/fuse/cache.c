/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel keeps of the tree: notes, drops, and replies that wait for them. */
#include "cache.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Notes of a device that are compared with each change of it; with more all are dropped, once. */
#define COMPARED_MAX 64u
/* Names of a device that are kept although they come and go with its values: each is looked at with
 * each change of it. */
#define NAMES_MAX 128u
/* Reads of the whole, one after the other and without a change, until a value is kept. */
#define QUIET_READS 64u
#define SETTLE_LOOK_NS 2000000 /* between two looks whether a waiter is to stop */

/* An entry of a table of which the kernel has names, and what they depend on. */
struct vdf_cached_name {
    struct vdf_obj *obj; /* referenced */
    const struct vdf_entry *entry;
    struct vdf_shape shape;
    struct vdf_cached_name *next;
};

/* The kernel's cached values and names of a device: `edge` in struct vdf_device. */
struct vdf_cached {
    struct vdf_node *values;
    unsigned n_values;
    struct vdf_cached_name *names;
    unsigned n_names;
};

/* --- notes ------------------------------------------------------------------------------------ */

/* The record of a device, which is made with the first note; NULL without memory. */
static struct vdf_cached *make_record(struct vdf_device *device)
{
    if (!device->edge)
        device->edge = calloc(1, sizeof(struct vdf_cached));
    return device->edge;
}

static void free_empty_record(struct vdf_device *device)
{
    struct vdf_cached *cached = device->edge;

    if (!cached || cached->values || cached->names)
        return;
    free(cached);
    device->edge = NULL;
}

static const struct vdf_attr *number_row(const struct vdf_place *place)
{
    const struct vdf_attr *attr = place->entry->attr;

    if (place->entry->special != VDF_PLAIN || !attr || vdf_place_is_dir(place))
        return NULL;
    return attr->type == VDF_REG || attr->type == VDF_BOOL ? attr : NULL;
}

bool vdf_cache_holds(const struct vdf_fuse *fuse, const struct vdf_place *place)
{
    const struct vdf_attr *attr = number_row(place);

    return fuse->cache != VDF_CACHE_OFF && atomic_load(&fuse->cache_runs) && attr &&
           place->obj->parent && attr->flags & VDF_R && !(attr->flags & VDF_LIVE) &&
           !atomic_load(&place->obj->live);
}

bool vdf_cache_wants(struct vdf_fuse *fuse, struct vdf_node *node)
{
    if (!vdf_cache_holds(fuse, &node->place))
        return false;
    return fuse->cache == VDF_CACHE_ALWAYS || atomic_load(&node->quiet_reads) >= QUIET_READS;
}

void vdf_cache_seen(const struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct vdf_at at = vdf_place_at(&node->place);
    uint64_t value;

    if (!vdf_cache_holds(fuse, &node->place) || vdf_row_get(&at, &value) < 0)
        return;
    if (value != node->value)
        node->quiet_reads = 0;
    else if (node->quiet_reads < QUIET_READS)
        node->quiet_reads++;
    /* That of a note is what the kernel has. */
    if (!node->note_prev)
        node->value = value;
}

static bool link_note(struct vdf_device *device, struct vdf_node *node)
{
    struct vdf_cached *cached = make_record(device);

    if (!cached)
        return false;
    node->note_next = cached->values;
    node->note_prev = &cached->values;
    if (node->note_next)
        node->note_next->note_prev = &node->note_next;
    cached->values = node;
    cached->n_values++;
    return true;
}

static void unlink_note(struct vdf_device *device, struct vdf_node *node)
{
    struct vdf_cached *cached = device->edge;

    if (!node->note_prev)
        return;
    *node->note_prev = node->note_next;
    if (node->note_next)
        node->note_next->note_prev = node->note_prev;
    node->note_prev = NULL;
    node->cached = 0;
    cached->n_values--;
    free_empty_record(device);
}

bool vdf_cache_note(struct vdf_fuse *fuse, struct vdf_node *node, enum vdf_cache_part part)
{
    struct vdf_device *device = node->place.obj->device;
    uint64_t value;
    bool noted = false;

    if (!vdf_cache_holds(fuse, &node->place))
        return false;
    vdf_device_enter(device);
    /* Not before: another state brings another structure. */
    struct vdf_at at = vdf_place_at(&node->place);
    if (!node->never_cached && vdf_place_exists(&node->place) && vdf_row_get(&at, &value) == 0 &&
        (node->note_prev || link_note(device, node))) {
        node->value = value;
        node->cached |= part;
        noted = true;
    }
    vdf_device_leave(device, false);
    return noted;
}

static bool note_name(struct vdf_device *device, const struct vdf_place *place)
{
    struct vdf_shape shape = { 0 };

    /* The tree tells of an object's death, so that many objects cost a change nothing. */
    if (!place->entry->parent) {
        place->obj->edge_watches = true;
        return true;
    }
    struct vdf_cached *cached = make_record(device);
    if (!cached)
        return false;
    struct vdf_cached_name *name = cached->names;
    while (name && (name->obj != place->obj || name->entry != place->entry))
        name = name->next;
    if (name)
        return true;
    if (cached->n_names >= NAMES_MAX || !vdf_place_shape(place, &shape))
        return false;
    name = malloc(sizeof(*name));
    if (!name)
        return false;
    *name = (struct vdf_cached_name){
        .obj = vdf_obj_ref(place->obj),
        .entry = place->entry,
        .shape = shape,
        .next = cached->names,
    };
    cached->names = name;
    cached->n_names++;
    return true;
}

bool vdf_cache_note_name(struct vdf_fuse *fuse, const struct vdf_place *place)
{
    struct vdf_device *device = place->obj->device;
    bool noted = false;

    if (!fuse->names_kept)
        return false;
    vdf_device_enter(device);
    if (vdf_place_exists(place))
        noted = vdf_place_is_fixed(place) || note_name(device, place);
    free_empty_record(device);
    vdf_device_leave(device, false);
    return noted;
}

/* --- what is to be dropped; the lock of the nodes is held ------------------------------------- */

static void ask(struct vdf_fuse *fuse)
{
    atomic_store(&fuse->drops_pending, true);
    pthread_cond_signal(&fuse->cache_work);
}

static void ask_drop(struct vdf_fuse *fuse, struct vdf_node *node, unsigned what)
{
    if (fuse->cache_stops)
        return;
    node->drop |= what;
    if (!node->drop_queued) {
        node->drop_queued = true;
        node->refs++;
        node->drop_next = fuse->drops;
        fuse->drops = node;
    }
    ask(fuse);
}

/* Somebody reads it: the new value is put in place of the old, which saves a request. */
static bool ask_store(struct vdf_fuse *fuse, struct vdf_node *node, uint64_t value)
{
    struct vdf_buf text = VDF_BUF_INIT;

    vdf_row_render_number(node->place.entry->attr, value, &text);
    vdf_buf_add(&text, "\n", 1);
    bool fits = !text.oom && text.len <= sizeof(node->stored.bytes);
    if (fits) {
        memcpy(node->stored.bytes, text.data, text.len);
        node->stored.n = (uint8_t)text.len;
        node->value = value;
        node->cached = VDF_CACHE_PAGE;
        ask_drop(fuse, node, VDF_CACHE_STORE | VDF_CACHE_ATTR);
    }
    vdf_buf_free(&text);
    return fits;
}

/* --- a device has changed --------------------------------------------------------------------- */

static void compare_value(struct vdf_fuse *fuse, struct vdf_device *device, struct vdf_node *node,
                          bool drop_all)
{
    struct vdf_at at = vdf_place_at(&node->place);
    uint64_t value;
    bool exists = vdf_cache_holds(fuse, &node->place) && vdf_place_exists(&node->place) &&
                  vdf_row_get(&at, &value) == 0;

    if (exists && value == node->value && !drop_all)
        return;
    if (!exists || value != node->value)
        node->quiet_reads = 0;
    if (exists && !drop_all && node->cached == (VDF_CACHE_PAGE | VDF_CACHE_ATTR) &&
        ask_store(fuse, node, value))
        return;
    ask_drop(fuse, node, node->cached);
    unlink_note(device, node);
}

static void compare_values(struct vdf_fuse *fuse, struct vdf_device *device)
{
    struct vdf_cached *cached = device->edge;
    bool drop_all = cached->n_values > COMPARED_MAX;

    vdf_lock(&fuse->nodes);
    for (struct vdf_node *node = cached->values, *next; node; node = next) {
        next = node->note_next;
        compare_value(fuse, device, node, drop_all);
    }
    vdf_unlock(&fuse->nodes);
}

/* Forgets the names that have come or gone. Return: whether there were any. */
static bool forget_changed_names(struct vdf_cached *cached)
{
    bool changed = false;

    for (struct vdf_cached_name **link = &cached->names, *name; (name = *link);) {
        struct vdf_place place = { .obj = name->obj, .entry = name->entry };
        struct vdf_shape now = { 0 };
        vdf_place_shape(&place, &now);
        if (memcmp(&now, &name->shape, sizeof(now)) == 0) {
            link = &name->next;
            continue;
        }
        *link = name->next;
        vdf_obj_unref(name->obj);
        free(name);
        cached->n_names--;
        changed = true;
    }
    return changed;
}

static void compare_names(struct vdf_fuse *fuse, struct vdf_device *device)
{
    bool gone = device->watched_gone;

    device->watched_gone = false;
    if (device->edge)
        gone |= forget_changed_names(device->edge);
    free_empty_record(device);
    if (!gone)
        return;
    vdf_lock(&fuse->nodes);
    if (!fuse->cache_stops) {
        fuse->epoch_asked = true;
        ask(fuse);
    }
    vdf_unlock(&fuse->nodes);
}

void vdf_cache_changed(void *arg, struct vdf_device *device)
{
    struct vdf_fuse *fuse = arg;

    if (device->edge)
        compare_values(fuse, device);
    compare_names(fuse, device);
}

void vdf_cache_never(struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct vdf_device *device = node->place.obj->device;

    node->never_cached = true;
    if (!node->note_prev)
        return;
    vdf_lock(&fuse->nodes);
    ask_drop(fuse, node, node->cached);
    vdf_unlock(&fuse->nodes);
    unlink_note(device, node);
}

void vdf_cache_forget(struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct vdf_device *device = node->place.obj->device;

    if (!number_row(&node->place))
        return;
    vdf_device_enter(device);
    /* Looked up again meanwhile, it may have a new note. */
    vdf_lock(&fuse->nodes);
    bool forgotten = node->lookups == 0;
    vdf_unlock(&fuse->nodes);
    if (forgotten)
        unlink_note(device, node);
    vdf_device_leave(device, false);
}

ssize_t vdf_cache_text(struct vdf_fuse *fuse, const struct vdf_node *node, char *bytes, size_t size)
{
    ssize_t n = 0;

    vdf_lock(&fuse->nodes);
    if (node->storing.n && node->storing.n <= size) {
        n = node->storing.n;
        memcpy(bytes, node->storing.bytes, node->storing.n);
    }
    vdf_unlock(&fuse->nodes);
    return n;
}

void vdf_cache_let_go(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_lock(&fuse->nodes);
    ask_drop(fuse, node, VDF_CACHE_PAGE);
    vdf_unlock(&fuse->nodes);
}

/* --- the thread that drops -------------------------------------------------------------------- */

/* The kernel copies into a page that it has while others copy out of it, who would get a mixture:
 * the old page goes first, and a reader who asks for it before the new one is there gets the same
 * text (vdf_cache_text()). */
static void store(struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct fuse_bufvec text = FUSE_BUFVEC_INIT(node->storing.n);

    text.buf[0].mem = node->storing.bytes;
    fuse_lowlevel_notify_store(fuse->session, (uintptr_t)node, 0, &text, 0);
    vdf_lock(&fuse->nodes);
    node->storing.n = 0;
    vdf_unlock(&fuse->nodes);
}

/* An inode that the kernel has forgotten needs no drop: ENOENT is as good as done. */
static void drop(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_lock(&fuse->nodes);
    unsigned what = node->drop;
    /* A page that is to go needs no new text. */
    bool stores = (what & (VDF_CACHE_STORE | VDF_CACHE_PAGE)) == VDF_CACHE_STORE;
    if (stores)
        node->storing = node->stored;
    node->drop = 0;
    node->drop_queued = false;
    vdf_unlock(&fuse->nodes);

    /* Attributes go with the page; a negative offset means them alone. */
    bool page = what & (VDF_CACHE_STORE | VDF_CACHE_PAGE);
    fuse_lowlevel_notify_inval_inode(fuse->session, (uintptr_t)node, page ? 0 : -1, 0);
    if (stores)
        store(fuse, node);
    vdf_node_unref(fuse, node);
}

static void drop_names(struct vdf_fuse *fuse)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    fuse_lowlevel_notify_increment_epoch(fuse->session);
#else
#endif
}

/* All that is asked for now, and then those who wait for it. */
static void work(struct vdf_fuse *fuse)
{
    struct vdf_node *node = fuse->drops, *next_node;
    struct vdf_late *late = fuse->first_late, *next_late;
    bool epoch = fuse->epoch_asked;

    fuse->drops = NULL;
    fuse->first_late = NULL;
    fuse->last_late = &fuse->first_late;
    fuse->epoch_asked = false;
    fuse->rounds_begun++;
    vdf_unlock(&fuse->nodes);

    for (; node; node = next_node) {
        next_node = node->drop_next;
        drop(fuse, node);
    }
    if (epoch)
        drop_names(fuse);
    for (; late; late = next_late) {
        next_late = late->next;
        late->send(late);
    }

    vdf_lock(&fuse->nodes);
    fuse->rounds_done = fuse->rounds_begun;
    if (!fuse->drops && !fuse->epoch_asked && !fuse->first_late)
        atomic_store(&fuse->drops_pending, false);
    pthread_cond_broadcast(&fuse->cache_done);
}

static void *cache_thread(void *arg)
{
    struct vdf_fuse *fuse = arg;

    vdf_lock(&fuse->nodes);
    while (!fuse->cache_stops || atomic_load(&fuse->drops_pending)) {
        if (atomic_load(&fuse->drops_pending))
            work(fuse);
        else
            pthread_cond_wait(&fuse->cache_work, &fuse->nodes.mutex);
    }
    vdf_unlock(&fuse->nodes);
    return NULL;
}

/* --- those who wait --------------------------------------------------------------------------- */

void vdf_cache_settle(void *arg, const atomic_bool *stop)
{
    struct vdf_fuse *fuse = arg;

    if (!atomic_load(&fuse->drops_pending))
        return;
    vdf_lock(&fuse->nodes);
    uint64_t until = fuse->rounds_begun + (fuse->drops || fuse->epoch_asked);
    while (fuse->rounds_done < until && !atomic_load(stop)) {
        struct timespec look;
        clock_gettime(CLOCK_REALTIME, &look);
        look.tv_nsec += SETTLE_LOOK_NS;
        look.tv_sec += look.tv_nsec / 1000000000;
        look.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&fuse->cache_done, &fuse->nodes.mutex, &look);
    }
    vdf_unlock(&fuse->nodes);
}

void vdf_reply_later(struct vdf_fuse *fuse, struct vdf_late *late)
{
    bool waits = vdf_reply_waits(fuse);

    if (waits) {
        vdf_lock(&fuse->nodes);
        waits = vdf_reply_waits(fuse);
        if (waits) {
            late->next = NULL;
            *fuse->last_late = late;
            fuse->last_late = &late->next;
            pthread_cond_signal(&fuse->cache_work);
        }
        vdf_unlock(&fuse->nodes);
    }
    if (!waits)
        late->send(late);
}

/* What replies of one call say. */
struct words {
    struct vdf_late late;
    fuse_req_t req;
    enum { ERROR, WRITTEN, READ, POLLED } kind;
    int error;
    unsigned events;
    size_t n;
    char bytes[];
};

static void say(const struct words *words, const char *bytes)
{
    switch (words->kind) {
    case ERROR:
        fuse_reply_err(words->req, words->error);
        break;
    case WRITTEN:
        fuse_reply_write(words->req, words->n);
        break;
    case READ:
        fuse_reply_buf(words->req, bytes, words->n);
        break;
    case POLLED:
        fuse_reply_poll(words->req, words->events);
        break;
    }
}

static void send_words(struct vdf_late *late)
{
    struct words *words = (struct words *)late;

    say(words, words->bytes);
    free(words);
}

/* Without memory to put the reply down it is sent at once, perhaps before the kernel has dropped
 * what it keeps: who waited for memory would keep the daemon from ending. */
static void say_later(struct vdf_fuse *fuse, const struct words *what, const char *bytes)
{
    size_t n = bytes ? what->n : 0;
    struct words *words = malloc(sizeof(*words) + n);

    if (!words) {
        say(what, bytes);
        return;
    }
    *words = *what;
    words->late.send = send_words;
    if (n)
        memcpy(words->bytes, bytes, n);
    vdf_reply_later(fuse, &words->late);
}

void vdf_reply_write(struct vdf_fuse *fuse, fuse_req_t req, size_t n)
{
    /* A write of nothing has changed nothing. */
    if (n && vdf_reply_waits(fuse))
        say_later(fuse, &(struct words){ .req = req, .kind = WRITTEN, .n = n }, NULL);
    else
        fuse_reply_write(req, n);
}

void vdf_reply_err(struct vdf_fuse *fuse, fuse_req_t req, int error)
{
    if (vdf_reply_waits(fuse))
        say_later(fuse, &(struct words){ .req = req, .kind = ERROR, .error = error }, NULL);
    else
        fuse_reply_err(req, error);
}

void vdf_reply_read(struct vdf_fuse *fuse, fuse_req_t req, const char *bytes, size_t n)
{
    if (vdf_reply_waits(fuse))
        say_later(fuse, &(struct words){ .req = req, .kind = READ, .n = n }, bytes);
    else
        fuse_reply_buf(req, bytes, n);
}

void vdf_reply_poll(struct vdf_fuse *fuse, fuse_req_t req, unsigned events)
{
    if (vdf_reply_waits(fuse))
        say_later(fuse, &(struct words){ .req = req, .kind = POLLED, .events = events }, NULL);
    else
        fuse_reply_poll(req, events);
}

/* --- life ------------------------------------------------------------------------------------- */

int vdf_cache_start(struct vdf_fuse *fuse)
{
    fuse->last_late = &fuse->first_late;
    pthread_cond_init(&fuse->cache_work, NULL);
    pthread_cond_init(&fuse->cache_done, NULL);
    int ret = -pthread_create(&fuse->cache_thread, NULL, cache_thread, fuse);
    atomic_store(&fuse->cache_runs, ret == 0);
    return ret;
}

void vdf_cache_end(struct vdf_fuse *fuse)
{
    if (!atomic_load(&fuse->cache_runs))
        return;
    vdf_lock(&fuse->nodes);
    fuse->cache_stops = true;
    pthread_cond_signal(&fuse->cache_work);
    vdf_unlock(&fuse->nodes);
}

void vdf_cache_stop(struct vdf_fuse *fuse)
{
    if (atomic_exchange(&fuse->cache_runs, false))
        pthread_join(fuse->cache_thread, NULL);
    pthread_cond_destroy(&fuse->cache_done);
    pthread_cond_destroy(&fuse->cache_work);
}
