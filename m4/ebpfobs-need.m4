dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl EBPFOBS_NEED(VAR, PKG-CONFIG MODULES, DEBIAN PACKAGE, FEDORA PACKAGE)
dnl Looks for a library that the build cannot do without. What is missing is gathered, so that
dnl EBPFOBS_NEED_REPORT can name everything at once with the packages to install.
AC_DEFUN([EBPFOBS_NEED], [
	PKG_CHECK_MODULES([$1], [$2], [], [
		EBPFOBS_MISSING([$2], [$3], [$4])
	])
])
dnl EBPFOBS_NEED_LIBRARY(VAR, LIBRARY, FUNCTION, DEBIAN PACKAGE, FEDORA PACKAGE)
dnl The same for a library that pkg-config does not know.
AC_DEFUN([EBPFOBS_NEED_LIBRARY], [
	AC_CHECK_LIB([$2], [$3], [AC_SUBST([$1_LIBS], [-l$2])], [
		EBPFOBS_MISSING([$2], [$4], [$5])
	])
])
AC_DEFUN([EBPFOBS_MISSING], [
	AS_VAR_APPEND([ebpfobs_missing], ["
    $1: Debian package $2, Fedora package $3"])
	AS_VAR_APPEND([ebpfobs_missing_deb], [" $2"])
	AS_VAR_APPEND([ebpfobs_missing_rpm], [" $3"])
])
AC_DEFUN([EBPFOBS_NEED_REPORT], [
	AS_IF([test -n "$ebpfobs_missing"], [AC_MSG_ERROR([these libraries are missing:
$ebpfobs_missing

  On Debian:  apt-get install$ebpfobs_missing_deb
  On Fedora:  dnf install$ebpfobs_missing_rpm
  Or let dev/setup do it.])])
])
