/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ebpfobsd. */
int main(int argc, char **argv)
{
	return 0;
}
