/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What travels on the road from collect to store: one record, of one kind. The receiver may change
 * it in place (enrich fills names in) but owns nothing: it copies what it keeps.
 */
#pragma once

#include "model/flow.h"
#include "model/sample.h"

enum record_kind {
	RECORD_FLOW,
	RECORD_UNTRACKED,
	RECORD_INTERFACE,
	RECORD_SAMPLE,
	RECORD_SAMPLE_LOSS,
	RECORD_KIND_MAX_,
};

struct record {
	enum record_kind kind;
	union {
		struct flow flow;
		struct flow_untracked untracked;
		struct flow_interface interface;
		struct sample sample;
		struct sample_loss loss;
	};
};
