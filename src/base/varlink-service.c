/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.varlink.service: what every Varlink service answers about itself. */
#include <string.h>

#include "base/util.h"
#include "base/varlink-internal.h"

static const char description[] =
	"# Standard interface of every Varlink service\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who this service is, and which interfaces it has\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The definition of an interface, in the language of this text\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string, reason: ?string)\n"
	"error PermissionDenied ()\n";

static const struct varlink_service *service_of(const struct varlink_call *call)
{
	return varlink_call_connection(call)->server->service;
}

static void add_string(struct json_object *out, const char *key, const char *value)
{
	json_object_object_add(out, key, json_object_new_string(value));
}

static void get_info(struct varlink_call *call, struct json_object *in)
{
	const struct varlink_service *service = service_of(call);
	struct json_object *out = json_object_new_object();
	struct json_object *names = json_object_new_array();

	add_string(out, "vendor", service->vendor);
	add_string(out, "product", service->product);
	add_string(out, "version", service->version);
	add_string(out, "url", service->url);
	json_object_array_add(names, json_object_new_string(varlink_service_interface.name));
	for (size_t i = 0; service->interfaces[i]; i++)
		json_object_array_add(names, json_object_new_string(service->interfaces[i]->name));
	json_object_object_add(out, "interfaces", names);
	varlink_reply(call, out);
}

static void get_interface_description(struct varlink_call *call, struct json_object *in)
{
	const struct varlink_interface *interface;
	struct json_object *name, *out;

	if (!in || !json_object_object_get_ex(in, "interface", &name) || !name) {
		varlink_error_parameter(call, "interface", "Which interface is missing.");
		return;
	}
	out = json_object_new_object();
	interface = varlink_find_interface(service_of(call), json_object_get_string(name),
					   (size_t)json_object_get_string_len(name));
	if (interface) {
		add_string(out, "description", interface->description);
		varlink_reply(call, out);
	} else {
		json_object_object_add(out, "interface", json_object_get(name));
		varlink_error(call, "org.varlink.service.InterfaceNotFound", out);
	}
}

static const struct varlink_field description_in[] = {
	{ "interface", VARLINK_STRING, NULL },
	{},
};

static const struct varlink_method methods[] = {
	{ "GetInfo", NULL, false, get_info },
	{ "GetInterfaceDescription", description_in, false, get_interface_description },
	{},
};

const struct varlink_interface varlink_service_interface = {
	.name = "org.varlink.service",
	.description = description,
	.methods = methods,
};

static bool has_name(const struct varlink_interface *interface, const char *name, size_t length)
{
	return strlen(interface->name) == length && memcmp(interface->name, name, length) == 0;
}

const struct varlink_interface *varlink_find_interface(const struct varlink_service *service,
						       const char *name, size_t name_length)
{
	if (has_name(&varlink_service_interface, name, name_length))
		return &varlink_service_interface;
	for (size_t i = 0; service->interfaces[i]; i++)
		if (has_name(service->interfaces[i], name, name_length))
			return service->interfaces[i];
	return NULL;
}
