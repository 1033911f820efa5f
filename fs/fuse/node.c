/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FUSE operations on names: lookup, attributes, directories. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "errors.h"
#include "hash.h"
#include "node.h"
#include "ring.h"

#define FIRST_BUCKETS 256u
#define BLOCK 4096
#define WINDOW_BLOCK (1 << 20)
#define EPOCH_MINOR 44        /* of the protocol that can drop all names at once */
#define CACHE_SECONDS 86400.0 /* longer than needed: the daemon invalidates */
#define RETIRED_MAX 65536u    /* nodes in the table that the kernel has forgotten */

/* --- the table of nodes ----------------------------------------------------------------------- */

struct vdf_node *vdf_node_of(struct vdf_fuse *fuse, fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? &fuse->root : (struct vdf_node *)(uintptr_t)ino;
}

static size_t bucket_of(const struct vdf_fuse *fuse, const struct vdf_place *place)
{
    uintptr_t key[4] = { (uintptr_t)place->obj, (uintptr_t)place->entry, place->i, place->j };
    return vdf_hash(key, sizeof(key)) & (fuse->n_buckets - 1);
}

static bool same_place(const struct vdf_place *a, const struct vdf_place *b)
{
    return a->obj == b->obj && a->entry == b->entry && a->i == b->i && a->j == b->j;
}

int vdf_nodes_init(struct vdf_fuse *fuse)
{
    fuse->n_buckets = FIRST_BUCKETS;
    fuse->buckets = calloc(fuse->n_buckets, sizeof(struct vdf_node *));
    if (!fuse->buckets)
        return -ENOMEM;
    vdf_lock_init(&fuse->nodes, VDF_RANK_NODES);
    fuse->root = (struct vdf_node){ .place = vdf_place_root(fuse->tree), .ino = FUSE_ROOT_ID };
    fuse->next_ino = FUSE_ROOT_ID + 1;
    return 0;
}

static void take_out(struct vdf_fuse *fuse, struct vdf_node *node)
{
    struct vdf_node **link = &fuse->buckets[bucket_of(fuse, &node->place)];

    while (*link != node)
        link = &(*link)->hash_next;
    *link = node->hash_next;
    fuse->n_nodes--;
    node->in_table = false;
}

/* Lock held. */
static void unref(struct vdf_node *node)
{
    if (--node->refs > 0)
        return;
    vdf_obj_unref(node->place.obj);
    free(node);
}

static void set_retired(struct vdf_fuse *fuse, struct vdf_node *node, bool retired)
{
    if (node->retired == retired)
        return;
    node->retired = retired;
    fuse->n_retired += retired ? 1 : -1u;
}

static void drop_dead(struct vdf_fuse *fuse)
{
    for (size_t k = 0; k < fuse->n_buckets; k++) {
        for (struct vdf_node *node = fuse->buckets[k], *next; node; node = next) {
            next = node->hash_next;
            if (!node->retired || !atomic_load(&node->place.obj->dead))
                continue;
            set_retired(fuse, node, false);
            take_out(fuse, node);
            unref(node);
        }
    }
}

static void grow(struct vdf_fuse *fuse)
{
    size_t old = fuse->n_buckets;
    struct vdf_node **buckets, **before = fuse->buckets;

    if (fuse->n_nodes < old)
        return;
    drop_dead(fuse);
    if (fuse->n_nodes < old / 2)
        return;
    buckets = calloc(old * 2, sizeof(struct vdf_node *));
    if (!buckets)
        return; /* The chains become longer. */
    fuse->buckets = buckets;
    fuse->n_buckets = old * 2;
    for (size_t k = 0; k < old; k++) {
        for (struct vdf_node *n = before[k], *next; n; n = next) {
            size_t to = bucket_of(fuse, &n->place);
            next = n->hash_next;
            n->hash_next = buckets[to];
            buckets[to] = n;
        }
    }
    free(before);
}

/* The node of a place, with one more lookup. Takes over the place's reference, and @spare, the memory
 * for a new node; NULL: allocate one. */
static struct vdf_node *get_node(struct vdf_fuse *fuse, const struct vdf_place *place,
                                 struct vdf_node *spare)
{
    vdf_lock(&fuse->nodes);
    struct vdf_node *node = fuse->buckets[bucket_of(fuse, place)];
    while (node && !same_place(&node->place, place))
        node = node->hash_next;
    if (node) {
        vdf_obj_unref(place->obj);
    } else {
        node = spare ? spare : calloc(1, sizeof(*node));
        spare = NULL;
        if (node) {
            grow(fuse);
            size_t k = bucket_of(fuse, place);
            node->place = *place;
            node->ino = fuse->next_ino++;
            node->refs = 1;
            node->in_table = true;
            node->hash_next = fuse->buckets[k];
            fuse->buckets[k] = node;
            fuse->n_nodes++;
        } else {
            vdf_obj_unref(place->obj);
        }
    }
    if (node) {
        node->lookups++;
        set_retired(fuse, node, false);
    }
    vdf_unlock(&fuse->nodes);
    free(spare);
    return node;
}

void vdf_node_unref(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_lock(&fuse->nodes);
    unref(node);
    vdf_unlock(&fuse->nodes);
}

/* The kernel forgets inodes that it has not used for some time. The node stays while its object is
 * there, so that the file's inode number and times do not change. */
static void retire(struct vdf_fuse *fuse, struct vdf_node *node)
{
    vdf_cache_forget(fuse, node);
    vdf_lock(&fuse->nodes);
    /* Another thread may have looked the node up again, or be here for the next forget. */
    if (node->lookups == 0 && node->in_table) {
        if (!atomic_load(&node->place.obj->dead) && fuse->n_retired < RETIRED_MAX) {
            set_retired(fuse, node, true);
        } else {
            set_retired(fuse, node, false);
            take_out(fuse, node);
            node->refs--; /* the table's; the caller's follows below */
        }
    }
    unref(node);
    vdf_unlock(&fuse->nodes);
}

static void forget_node(struct vdf_fuse *fuse, fuse_ino_t ino, uint64_t lookups)
{
    struct vdf_node *node = vdf_node_of(fuse, ino);

    if (ino == FUSE_ROOT_ID)
        return;
    vdf_lock(&fuse->nodes);
    node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    bool gone = node->lookups == 0;
    if (gone)
        node->refs++;
    vdf_unlock(&fuse->nodes);
    if (gone)
        retire(fuse, node);
}

void vdf_nodes_free(struct vdf_fuse *fuse)
{
    for (size_t k = 0; k < fuse->n_buckets; k++) {
        while (fuse->buckets[k]) {
            struct vdf_node *node = fuse->buckets[k];
            fuse->buckets[k] = node->hash_next;
            vdf_obj_unref(node->place.obj);
            free(node);
        }
    }
    free(fuse->buckets);
    vdf_lock_destroy(&fuse->nodes);
}

/* --- attributes ------------------------------------------------------------------------------- */

static bool is_window(const struct vdf_place *place)
{
    return place->entry->special == VDF_PLAIN && place->entry->attr &&
           place->entry->attr->type == VDF_WINDOW;
}

/* Does reading the file change the device? */
static bool read_has_effect(const struct vdf_place *place)
{
    const struct vdf_attr *attr = place->entry->special == VDF_PLAIN ? place->entry->attr : NULL;

    return attr && (attr->type == VDF_STREAM || is_window(place) || attr->flags & VDF_ACCESS);
}

/* The table's permissions less the umask. A user whom the umask denies writing may not change the
 * device by reading either. */
static mode_t mode_of(const struct vdf_fuse *fuse, const struct vdf_place *place)
{
    mode_t mode = vdf_place_mode(place);
    mode_t all = mode & 0700;
    mode_t lacks = fuse->umask;

    if (read_has_effect(place))
        lacks |= (lacks & 0222) << 1;
    return (mode & S_IFMT) | ((all | all >> 3 | all >> 6) & ~lacks);
}

/* Logs a refusal, unless the file is missing. */
static int fill_stat(struct vdf_fuse *fuse, struct vdf_node *node, struct stat *st)
{
    struct vdf_seen seen;
    struct vdf_err err = { 0 };

    vdf_lock(&fuse->nodes);
    seen = node->seen;
    vdf_unlock(&fuse->nodes);
    int ret = vdf_place_stat(&node->place, &seen);
    if (ret == -ENODEV || ret == -ENOENT)
        return ret;
    if (ret < 0)
        return vdf_place_refused(&node->place, NULL, ret, &err);
    vdf_lock(&fuse->nodes);
    node->seen = seen;
    vdf_unlock(&fuse->nodes);

    memset(st, 0, sizeof(*st));
    st->st_ino = node->ino;
    st->st_mode = mode_of(fuse, &node->place);
    st->st_nlink = S_ISDIR(st->st_mode) ? 2 : 1;
    st->st_uid = fuse->uid;
    st->st_gid = fuse->gid;
    st->st_size = (off_t)seen.size;
    st->st_blocks = (blkcnt_t)((seen.size + 511) / 512);
    /* wc(1) seeks to an odd offset before the last block, where no register begins. A window is
     * therefore one block. */
    st->st_blksize = is_window(&node->place) ? WINDOW_BLOCK : BLOCK;
    st->st_mtim = seen.mtime;
    st->st_ctim = seen.mtime;
    st->st_atim = seen.mtime;
    return 0;
}

/* Fills in the reply to a lookup, which counts one more lookup of the node. Takes over the place's
 * reference. The kernel may not cache the attributes of this reply: a drop would not find an inode that
 * the kernel has not made yet. */
static int fill_entry(struct vdf_fuse *fuse, const struct vdf_place *place, struct vdf_node *spare,
                      struct fuse_entry_param *entry)
{
    bool cached = vdf_cache_note_name(fuse, place);
    struct vdf_node *node = get_node(fuse, place, spare);

    *entry = (struct fuse_entry_param){ .entry_timeout = cached ? CACHE_SECONDS : 0 };
    if (!node)
        return -ENOMEM;
    entry->ino = (uintptr_t)node;
    int ret = fill_stat(fuse, node, &entry->attr);
    if (ret < 0)
        forget_node(fuse, entry->ino, 1);
    return ret == -ENODEV ? -ENOENT : ret;
}

/* Replies with a name's node or, without `ino`, with attributes. */
static void send_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
    if (!entry->ino)
        fuse_reply_attr(req, &entry->attr, entry->attr_timeout);
    else if (fuse_reply_entry(req, entry) < 0)
        forget_node(vdf_fuse_of(req), entry->ino, 1);
}

struct entry_reply {
    struct vdf_reply reply; /* first: the pointer to the reply is this one */
    fuse_req_t req;
    struct fuse_entry_param entry;
};

static void send_copy(struct vdf_reply *reply)
{
    struct entry_reply *copy = (struct entry_reply *)reply;

    send_entry(copy->req, &copy->entry);
    free(copy);
}

/* Sends the reply after the pending drops, so that a process that sees a new size or time does not
 * read the old value afterwards. Without memory the reply is sent at once. */
static void send_later(fuse_req_t req, const struct fuse_entry_param *entry)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct entry_reply *copy = vdf_reply_waits(fuse) ? malloc(sizeof(*copy)) : NULL;

    if (!copy) {
        send_entry(req, entry);
        return;
    }
    *copy = (struct entry_reply){ .reply.send = send_copy, .req = req, .entry = *entry };
    vdf_reply_later(fuse, &copy->reply);
}

/* Takes over the place's reference, and @spare. */
static void reply_entry(fuse_req_t req, const struct vdf_place *place, struct vdf_node *spare)
{
    struct fuse_entry_param entry;
    int ret = fill_entry(vdf_fuse_of(req), place, spare, &entry);

    if (ret < 0)
        fuse_reply_err(req, -ret);
    else
        send_later(req, &entry);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct vdf_place child;
    int ret = vdf_place_lookup(&vdf_node_of(vdf_fuse_of(req), parent)->place, name, &child);

    if (ret < 0)
        fuse_reply_err(req, -ret);
    else
        reply_entry(req, &child, NULL);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    forget_node(vdf_fuse_of(req), ino, lookups);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t k = 0; k < count; k++)
        forget_node(vdf_fuse_of(req), forgets[k].ino, forgets[k].nlookup);
    fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, struct vdf_node *node)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    bool cached = vdf_cache_note(fuse, node, VDF_CACHE_ATTR);
    struct fuse_entry_param entry = { .attr_timeout = cached ? CACHE_SECONDS : 0 };
    int ret = fill_stat(fuse, node, &entry.attr);

    if (ret < 0)
        fuse_reply_err(req, -ret);
    else
        send_later(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    reply_attr(req, vdf_node_of(vdf_fuse_of(req), ino));
}

/* Setting a size or a time succeeds and changes nothing, so that cp, tar and rsync can restore values.
 * The owner and the mode can only be set to their present values. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct vdf_node *node = vdf_node_of(fuse, ino);
    struct vdf_err err = { 0 };
    unsigned mode = mode_of(fuse, &node->place) & 07777;
    int ret = 0;

    if (to_set & FUSE_SET_ATTR_MODE && (attr->st_mode & 07777) != mode)
        ret = vdf_fail(&err, EPERM, "mode %04o: the mode is %04o and cannot be changed",
                       attr->st_mode & 07777, mode);
    if ((to_set & FUSE_SET_ATTR_UID && attr->st_uid != fuse->uid) ||
        (to_set & FUSE_SET_ATTR_GID && attr->st_gid != fuse->gid))
        ret =
            vdf_fail(&err, EPERM, "the owner is %u:%u and cannot be changed", fuse->uid, fuse->gid);
    /* rsync sends this request for each file that it copies. */
    err.routine = true;
    if (ret < 0)
        fuse_reply_err(req, -vdf_place_refused(&node->place, NULL, ret, &err));
    else
        reply_attr(req, node);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st = { .f_bsize = BLOCK, .f_frsize = BLOCK, .f_namemax = VDF_NAME_MAX };

    fuse_reply_statfs(req, &st);
}

/* --- making and removing ---------------------------------------------------------------------- */

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    const struct vdf_place *dir = &vdf_node_of(vdf_fuse_of(req), parent)->place;
    struct vdf_user user = vdf_user_of(req);
    /* Allocated first, so that a failed allocation makes no object. */
    struct vdf_node *spare = calloc(1, sizeof(*spare));
    struct vdf_err err = { 0 };
    struct vdf_place made;
    int ret;

    vdf_user_serve(&user);
    if (spare)
        ret = vdf_place_mkdir(dir, name, &made);
    else
        ret = vdf_place_refused(dir, name, vdf_fail(&err, ENOMEM, "no memory for \"%s\"", name),
                                &err);
    vdf_user_serve(NULL);
    if (ret == 0) {
        reply_entry(req, &made, spare);
    } else {
        free(spare);
        fuse_reply_err(req, -ret);
    }
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct vdf_user user = vdf_user_of(req);

    vdf_user_serve(&user);
    int ret = vdf_place_rmdir(&vdf_node_of(fuse, parent)->place, name);
    vdf_user_serve(NULL);
    vdf_reply_err(fuse, req, -ret);
}

static void refuse_change(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct vdf_err err = { 0 };
    int ret = vdf_fail(&err, EPERM, "only mkdir and rmdir of objects change the tree");

    err.routine = true;
    vdf_place_refused(&vdf_node_of(vdf_fuse_of(req), parent)->place, name, ret, &err);
    fuse_reply_err(req, EPERM);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    refuse_change(req, parent, name);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    refuse_change(req, parent, name);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    refuse_change(req, parent, name);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned flags)
{
    refuse_change(req, parent, name);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    const struct vdf_place *dir = &vdf_node_of(vdf_fuse_of(req), parent)->place;
    struct vdf_err err = { 0 };

    vdf_device_enter(dir->obj->device);
    int ret = vdf_place_missing(dir, name, &err);
    vdf_device_leave(dir->obj->device, false);
    fuse_reply_err(req, -vdf_place_refused(dir, name, ret, &err));
}

/* --- directories ------------------------------------------------------------------------------ */

/* The entries of a directory at its opendir(3). */
struct vdf_listing {
    fuse_req_t req;
    struct vdf_buf entries; /* in the format of a readdir reply */
    struct vdf_listing *next, **prev;
};

static struct vdf_listing *new_listing(struct vdf_fuse *fuse)
{
    struct vdf_listing *list = calloc(1, sizeof(*list));

    if (!list)
        return NULL;
    vdf_lock(&fuse->nodes);
    list->next = fuse->listings;
    list->prev = &fuse->listings;
    if (list->next)
        list->next->prev = &list->next;
    fuse->listings = list;
    vdf_unlock(&fuse->nodes);
    return list;
}

static void free_listing(struct vdf_fuse *fuse, struct vdf_listing *list)
{
    vdf_lock(&fuse->nodes);
    *list->prev = list->next;
    if (list->next)
        list->next->prev = list->prev;
    vdf_unlock(&fuse->nodes);
    vdf_buf_free(&list->entries);
    free(list);
}

void vdf_listings_free(struct vdf_fuse *fuse)
{
    while (fuse->listings)
        free_listing(fuse, fuse->listings);
}

static int emit(void *arg, const char *name, bool dir)
{
    struct vdf_listing *list = arg;
    struct stat st = { .st_ino = 0xffffffff, .st_mode = dir ? S_IFDIR : S_IFREG };
    char entry[512];
    size_t len =
        fuse_add_direntry(list->req, entry, sizeof(entry), name, &st, (off_t)(list->entries.len));

    /* The offset of an entry is the position behind it in `entries`. */
    fuse_add_direntry(list->req, entry, sizeof(entry), name, &st, (off_t)(list->entries.len + len));
    vdf_buf_add(&list->entries, entry, len);
    return list->entries.oom ? -ENOMEM : 0;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    struct vdf_listing *list = new_listing(fuse);
    int ret = list ? 0 : -ENOMEM;

    if (ret == 0) {
        list->req = req;
        emit(list, ".", true);
        emit(list, "..", true);
        ret = vdf_place_list(&vdf_node_of(fuse, ino)->place, emit, list);
    }
    fi->fh = (uintptr_t)list;
    if (ret < 0)
        fuse_reply_err(req, -ret);
    if ((ret < 0 || fuse_reply_open(req, fi) < 0) && list)
        free_listing(fuse, list);
}

/* An entry is a header of 24 bytes with the name's length, the name, padding to 8. */
static const char *entry_name(const char *entry, size_t *len)
{
    uint32_t name_len;

    memcpy(&name_len, entry + 16, sizeof(name_len));
    *len = name_len;
    return entry + 24;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    struct vdf_listing *list = (struct vdf_listing *)(uintptr_t)fi->fh;
    size_t from = (uint64_t)offset < list->entries.len ? (size_t)offset : list->entries.len;
    size_t to = from, name_len;

    /* Whole entries only. */
    while (to < list->entries.len) {
        entry_name(list->entries.data + to, &name_len);
        size_t len = (24 + name_len + 7) & ~(size_t)7;
        if (to + len - from > size)
            break;
        to += len;
    }
    fuse_reply_buf(req, list->entries.data + from, to - from);
}

/* The same, each name with the reply to its lookup. */
static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                           struct fuse_file_info *fi)
{
    struct vdf_fuse *fuse = vdf_fuse_of(req);
    const struct vdf_place *dir = &vdf_node_of(fuse, ino)->place;
    const struct vdf_listing *list = (struct vdf_listing *)(uintptr_t)fi->fh;
    size_t from = (uint64_t)offset < list->entries.len ? (size_t)offset : list->entries.len;
    struct vdf_buf out = VDF_BUF_INIT;
    char plus[512], name[VDF_NAME_MAX + 1];

    while (from < list->entries.len && !out.oom) {
        size_t name_len;
        const char *text = entry_name(list->entries.data + from, &name_len);
        struct fuse_entry_param entry = { .attr.st_ino = 0xffffffff, .attr.st_mode = S_IFDIR };
        struct vdf_place child;
        size_t next = from + ((24 + name_len + 7) & ~(size_t)7);

        assert(name_len < sizeof(name));
        memcpy(name, text, name_len);
        name[name_len] = '\0';
        if (out.len + fuse_add_direntry_plus(req, NULL, 0, name, NULL, 0) > size)
            break;
        bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        /* A name that is gone by now is omitted. */
        if (dots || (vdf_place_lookup(dir, name, &child) == 0 &&
                     fill_entry(fuse, &child, NULL, &entry) == 0)) {
            size_t len = fuse_add_direntry_plus(req, plus, sizeof(plus), name, &entry, (off_t)next);
            vdf_buf_add(&out, plus, len);
        }
        from = next;
    }
    if (out.oom)
        fuse_reply_err(req, ENOMEM);
    else
        vdf_reply_read(fuse, req, out.data, out.len);
    vdf_buf_free(&out);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vdf_listing *list = (struct vdf_listing *)(uintptr_t)fi->fh;

    free_listing(vdf_fuse_of(req), list);
    fuse_reply_err(req, 0);
}

/* --- the session ------------------------------------------------------------------------------ */

/* Rings where libfuse, the kernel and io_uring have them. */
static void offer_rings(struct vdf_fuse *fuse, struct fuse_conn_info *conn)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    if (!fuse->rings)
        return;
    if (!fuse_get_feature_flag(conn, FUSE_CAP_OVER_IO_URING)) {
        vdf_fail(
            &fuse->ring_err, EOPNOTSUPP,
            "the kernel does not offer FUSE over io_uring: it is in Linux 6.14 and newer, with "
            "Y in /sys/module/fuse/parameters/enable_uring");
    } else if (vdf_rings_offer(fuse->rings, &fuse->ring_err) == 0) {
        conn->max_write = VDF_RING_MAX_WRITE;
        atomic_store(&fuse->rings_serve, true);
    }
#endif
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct vdf_fuse *fuse = userdata;

    if (fuse->max_read)
        conn->max_read = fuse->max_read;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
    /* Passthrough lets a process map the memfd behind a file. */
    fuse->can_passthrough = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
    /* No memfd lies on a stacked file system, but one such as overlayfs may lie on this one. */
    if (fuse->can_passthrough)
        conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
    /* The daemon invalidates pages; the kernel need not compare times and sizes. */
    fuse_unset_feature_flag(conn, FUSE_CAP_AUTO_INVAL_DATA);
#else
    conn->want &= ~FUSE_CAP_AUTO_INVAL_DATA;
#endif
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    fuse->names_kept = fuse->cache_runs && conn->proto_minor >= EPOCH_MINOR;
#endif
    offer_rings(fuse, conn);
    if (fuse->need_rings && fuse->ring_err.code) {
        fuse_session_exit(fuse->session);
        return;
    }
    if (fuse->ready)
        fuse->ready(fuse->ready_arg);
}

const struct fuse_lowlevel_ops vdf_fuse_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .statfs = op_statfs,
    .mkdir = op_mkdir,
    .rmdir = op_rmdir,
    .unlink = refuse_change,
    .mknod = op_mknod,
    .symlink = op_symlink,
    .link = op_link,
    .rename = op_rename,
    .create = op_create,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
    .open = vdf_fuse_open,
    .read = vdf_fuse_read,
    .write = vdf_fuse_write,
    .flush = vdf_fuse_flush,
    .release = vdf_fuse_release,
    .poll = vdf_fuse_poll,
};
