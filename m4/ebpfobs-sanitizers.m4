dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl EBPFOBS_SANITIZERS: --enable-sanitizers[=LIST] puts -fsanitize=LIST into SAN_CFLAGS, which
dnl both compiles and links with it. BPF programs are never instrumented.
AC_DEFUN([EBPFOBS_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
			[instrument the build (default list: address,undefined)])],
		[], [enable_sanitizers=no])
	AS_CASE([$enable_sanitizers],
		[yes], [enable_sanitizers=address,undefined])
	SAN_CFLAGS=
	AS_IF([test "$enable_sanitizers" != no], [
		SAN_CFLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
		saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS $SAN_CFLAGS"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [],
			[AC_MSG_ERROR([$CC cannot link with -fsanitize=$enable_sanitizers; Debian: gcc has it built in, clang needs libclang-rt-14-dev; Fedora: libasan libubsan])])
		CFLAGS=$saved_CFLAGS
	])
	AC_SUBST([SAN_CFLAGS])
])
