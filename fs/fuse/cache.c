/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's cache of the tree: notes, drops, and replies that wait for drops. */
#include "cache.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Each change of a device compares its notes, up to this number; beyond it a change drops all. */
#define COMPARED_MAX 64u
/* Cached names of a device that depend on its values: each change of the device checks all of them. */
#define NAMES_MAX 128u
/* Consecutive reads of the whole value without a change before the kernel caches the value. */
#define QUIET_READS 64u
#define SETTLE_LOOK_NS 2000000 /* between two checks of a waiter's stop flag */

/* A table's entry of which the kernel has names, and the values that decide which names exist. */
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

/* The record of a device; the first note creates the record. NULL: no memory. */
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

/* May the kernel cache files of this place that are open for reading only? */
static bool may_cache(const struct vdf_fuse *fuse, const struct vdf_place *place)
{
    const struct vdf_attr *attr = number_row(place);

    return fuse->cache != VDF_CACHE_OFF && atomic_load(&fuse->cache_runs) && attr &&
           place->obj->parent && attr->flags & VDF_R && !(attr->flags & VDF_LIVE) &&
           !atomic_load(&place->obj->live);
}

bool vdf_cache_wants(struct vdf_fuse *fuse, struct vdf_node *node)
{
    if (!may_cache(fuse, &node->place))
        return false;
    return fuse->cache == VDF_CACHE_ALWAYS || atomic_load(&node->quiet_reads) >= QUIET_READS;
}

void vdf_cache_seen(const struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct vdf_at at = vdf_place_at(&node->place);
    uint64_t value;

    if (!may_cache(fuse, &node->place) || vdf_row_get(&at, &value) < 0)
        return;
    if (value != node->value)
        node->quiet_reads = 0;
    else if (node->quiet_reads < QUIET_READS)
        node->quiet_reads++;
    /* The value of a node with a note is the kernel's. */
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

    if (!may_cache(fuse, &node->place))
        return false;
    vdf_device_enter(device);
    /* Under the lock: a restore replaces the private structure. */
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

    /* The tree reports the death of an object, so that a change need not check all objects. */
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

/* --- asking for drops; the lock of the nodes is held ------------------------------------------ */

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

/* The value has a reader: store the new value in place of the old one, which saves a request. */
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
    bool exists = may_cache(fuse, &node->place) && vdf_place_exists(&node->place) &&
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

/* Forgets the names that have appeared or disappeared. Return: were there any? */
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
    /* After another lookup in the meantime the node may have a new note. */
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

void vdf_cache_drop_page(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_lock(&fuse->nodes);
    ask_drop(fuse, node, VDF_CACHE_PAGE);
    vdf_unlock(&fuse->nodes);
}

/* --- the thread of the drops ------------------------------------------------------------------ */

/* The kernel writes into an existing page while readers copy from it, and they would get a mixture.
 * The old page is therefore dropped first, and a reader that asks before the new page is there gets
 * the new text from vdf_cache_text(). */
static void store(struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct fuse_bufvec text = FUSE_BUFVEC_INIT(node->storing.n);

    text.buf[0].mem = node->storing.bytes;
    fuse_lowlevel_notify_store(fuse->session, (uintptr_t)node, 0, &text, 0);
    vdf_lock(&fuse->nodes);
    node->storing.n = 0;
    vdf_unlock(&fuse->nodes);
}

/* ENOENT needs no handling: the kernel has forgotten the inode and caches nothing of it. */
static void drop(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_lock(&fuse->nodes);
    unsigned what = node->drop;
    /* A page that is dropped anyway needs no new text. */
    bool stores = (what & (VDF_CACHE_STORE | VDF_CACHE_PAGE)) == VDF_CACHE_STORE;
    if (stores)
        node->storing = node->stored;
    node->drop = 0;
    node->drop_queued = false;
    vdf_unlock(&fuse->nodes);

    /* Dropping a page drops the attributes too; a negative offset drops only the attributes. */
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
#endif
}

/* Makes all drops that are asked for, and then sends the replies that wait for them. */
static void work(struct vdf_fuse *fuse)
{
    struct vdf_node *node = fuse->drops, *next_node;
    struct vdf_reply *reply = fuse->replies, *next_reply;
    bool epoch = fuse->epoch_asked;

    fuse->drops = NULL;
    fuse->replies = NULL;
    fuse->last_reply = &fuse->replies;
    fuse->epoch_asked = false;
    fuse->rounds_begun++;
    vdf_unlock(&fuse->nodes);

    for (; node; node = next_node) {
        next_node = node->drop_next;
        drop(fuse, node);
    }
    if (epoch)
        drop_names(fuse);
    for (; reply; reply = next_reply) {
        next_reply = reply->next;
        reply->send(reply);
    }

    vdf_lock(&fuse->nodes);
    fuse->rounds_done = fuse->rounds_begun;
    if (!fuse->drops && !fuse->epoch_asked && !fuse->replies)
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

/* --- waiting for drops ------------------------------------------------------------------------ */

void vdf_cache_settle(void *arg, const atomic_bool *stop)
{
    struct vdf_fuse *fuse = arg;

    if (!atomic_load(&fuse->drops_pending))
        return;
    vdf_lock(&fuse->nodes);
    uint64_t until = fuse->rounds_begun + (fuse->drops || fuse->epoch_asked);
    while (fuse->rounds_done < until && !atomic_load(stop)) {
        struct timespec look = vdf_lock_deadline(SETTLE_LOOK_NS);
        pthread_cond_timedwait(&fuse->cache_done, &fuse->nodes.mutex, &look);
    }
    vdf_unlock(&fuse->nodes);
}

void vdf_reply_later(struct vdf_fuse *fuse, struct vdf_reply *reply)
{
    bool waits = vdf_reply_waits(fuse);

    if (waits) {
        vdf_lock(&fuse->nodes);
        waits = vdf_reply_waits(fuse);
        if (waits) {
            reply->next = NULL;
            *fuse->last_reply = reply;
            fuse->last_reply = &reply->next;
            pthread_cond_signal(&fuse->cache_work);
        }
        vdf_unlock(&fuse->nodes);
    }
    if (!waits)
        reply->send(reply);
}

/* The content of a simple reply. */
struct simple {
    struct vdf_reply reply; /* first: the pointer to the reply is this one */
    fuse_req_t req;
    enum { ERROR, WRITTEN, READ, POLLED } kind;
    int error;
    unsigned events;
    size_t n;
    char bytes[];
};

static void send_simple(const struct simple *simple, const char *bytes)
{
    switch (simple->kind) {
    case ERROR:
        fuse_reply_err(simple->req, simple->error);
        break;
    case WRITTEN:
        fuse_reply_write(simple->req, simple->n);
        break;
    case READ:
        fuse_reply_buf(simple->req, bytes, simple->n);
        break;
    case POLLED:
        fuse_reply_poll(simple->req, simple->events);
        break;
    }
}

static void send_copy(struct vdf_reply *reply)
{
    struct simple *copy = (struct simple *)reply;

    send_simple(copy, copy->bytes);
    free(copy);
}

/* Sends the reply at once if there is no memory for a copy, perhaps before the kernel has dropped the
 * old value: waiting for memory could keep the daemon from ending. */
static void send_later(struct vdf_fuse *fuse, const struct simple *simple, const char *bytes)
{
    size_t n = bytes ? simple->n : 0;
    struct simple *copy = malloc(sizeof(*copy) + n);

    if (!copy) {
        send_simple(simple, bytes);
        return;
    }
    *copy = *simple;
    copy->reply.send = send_copy;
    if (n)
        memcpy(copy->bytes, bytes, n);
    vdf_reply_later(fuse, &copy->reply);
}

void vdf_reply_write(struct vdf_fuse *fuse, fuse_req_t req, size_t n)
{
    /* A write of no bytes has changed nothing. */
    if (n && vdf_reply_waits(fuse))
        send_later(fuse, &(struct simple){ .req = req, .kind = WRITTEN, .n = n }, NULL);
    else
        fuse_reply_write(req, n);
}

void vdf_reply_err(struct vdf_fuse *fuse, fuse_req_t req, int error)
{
    if (vdf_reply_waits(fuse))
        send_later(fuse, &(struct simple){ .req = req, .kind = ERROR, .error = error }, NULL);
    else
        fuse_reply_err(req, error);
}

void vdf_reply_read(struct vdf_fuse *fuse, fuse_req_t req, const char *bytes, size_t n)
{
    if (vdf_reply_waits(fuse))
        send_later(fuse, &(struct simple){ .req = req, .kind = READ, .n = n }, bytes);
    else
        fuse_reply_buf(req, bytes, n);
}

void vdf_reply_poll(struct vdf_fuse *fuse, fuse_req_t req, unsigned events)
{
    if (vdf_reply_waits(fuse))
        send_later(fuse, &(struct simple){ .req = req, .kind = POLLED, .events = events }, NULL);
    else
        fuse_reply_poll(req, events);
}

/* --- life ------------------------------------------------------------------------------------- */

int vdf_cache_start(struct vdf_fuse *fuse)
{
    fuse->last_reply = &fuse->replies;
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
