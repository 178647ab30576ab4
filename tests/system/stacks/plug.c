/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library; PADDING bytes of code before its function, so that two may differ in size. */
#ifdef PADDING
__asm__(".fill " PADDING ", 1, 0x90");
#endif

int plug(int (*callback)(void))
{
	volatile char room[ROOM];

	room[0] = 1;
	return callback() + room[0];
}
