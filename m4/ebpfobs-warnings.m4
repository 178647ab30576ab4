dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl EBPFOBS_WARNINGS: puts each warning that the compiler knows into WARN_CFLAGS.
AC_DEFUN([EBPFOBS_WARNINGS], [
	AC_ARG_ENABLE([werror],
		[AS_HELP_STRING([--enable-werror], [make warnings errors (dev/test does)])],
		[], [enable_werror=no])
	WARN_CFLAGS=
	for flag in -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
		    -Wpointer-arith -Wvla -Wundef -Wwrite-strings \
		    -Wno-unused-parameter \
		    -Wno-missing-field-initializers -fno-common -fstack-protector-strong; do
		AS_VAR_PUSHDEF([known], [ebpfobs_cv_cflag_$flag])
		AC_CACHE_CHECK([whether $CC knows $flag], [known], [
			saved_CFLAGS=$CFLAGS
			CFLAGS="$CFLAGS -Werror $flag"
			AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([known], [yes])],
				[AS_VAR_SET([known], [no])])
			CFLAGS=$saved_CFLAGS
		])
		AS_VAR_IF([known], [yes], [WARN_CFLAGS="$WARN_CFLAGS $flag"])
		AS_VAR_POPDEF([known])
	done
	AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])
