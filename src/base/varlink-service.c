/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.varlink.service: what every Varlink service answers about itself. */
#include <string.h>

#include "base/json.h"
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

static struct json_object *interface_names(const struct varlink_service *service)
{
	struct json_object *names = json_object_new_array();

	json_append(names, json_new_string(varlink_service_interface.name));
	for (size_t i = 0; service->interfaces[i]; i++)
		json_append(names, json_new_string(service->interfaces[i]->name));
	return names;
}

static void get_info(struct varlink_call *call, struct json_object *in)
{
	const struct varlink_service *service = service_of(call);
	struct json_object *out = json_object_new_object();

	json_add_string(out, "vendor", service->vendor);
	json_add_string(out, "product", service->product);
	json_add_string(out, "version", service->version);
	json_add_string(out, "url", service->url);
	json_add(out, "interfaces", interface_names(service));
	varlink_reply(call, out);
}

static void get_interface_description(struct varlink_call *call, struct json_object *in)
{
	const struct varlink_interface *interface;
	struct json_object *out;
	const char *name;

	if (!in || json_get_string(in, "interface", &name) < 0) {
		varlink_error_parameter(call, "interface", "Which interface is missing.");
		return;
	}
	interface = varlink_find_interface(service_of(call), name, strlen(name));
	out = json_object_new_object();
	if (interface) {
		json_add_string(out, "description", interface->description);
		varlink_reply(call, out);
	} else {
		json_add_string(out, "interface", name);
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
