/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The check of the order of locks, in builds with VDF_LOCK_CHECKS. */
#include <assert.h>
#include <virtdevfs/lock.h>

_Thread_local unsigned vdf_ranks_held;

#ifdef VDF_LOCK_CHECKS
_Static_assert(VDF_RANKS <= 8 * sizeof(vdf_ranks_held), "a bit for each rank");

void vdf_rank_take(enum vdf_rank rank)
{
    assert(rank > 0 && rank < VDF_RANKS);
    /* The thread holds no lock of this rank or a higher one. */
    assert(vdf_ranks_held >> rank == 0);
    vdf_ranks_held |= 1u << rank;
}

void vdf_rank_leave(enum vdf_rank rank)
{
    assert(vdf_ranks_held >> rank & 1);
    vdf_ranks_held &= ~(1u << rank);
}

void vdf_rank_below(enum vdf_rank rank)
{
    assert(vdf_ranks_held >> rank == 0);
}
#endif
