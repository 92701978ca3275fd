/**
 * Messages that protobuf-es has as something else where they are fields.
 *
 * @module
 */

import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Fields, MessageField, Oneof } from "./fields.ts";

const WRAPPER =
  /^google\.protobuf\.(?:Double|Float|U?Int(?:32|64)|Bool|String|Bytes)Value$/;

/**
 * Whether a field has the value of a message of `google/protobuf/wrappers.proto`
 * in its place: singular fields do that are in no oneof.
 */
export function isUnwrapped(field: MessageField): boolean {
  if (field.fieldKind !== "message" || field.oneof !== undefined) return false;
  const { typeName, fields: [value] } = field.message;
  return WRAPPER.test(typeName) && value?.fieldKind === "scalar" &&
    value.name === "value" && value.number === 1;
}

/** Whether a field has the JSON that a `google.protobuf.Struct` stands for. */
export function isJson(field: MessageField): boolean {
  return field.message.typeName === "google.protobuf.Struct" &&
    field.parent.typeName !== "google.protobuf.Value";
}

/** Makes a `google.protobuf.Struct` of JSON. */
export function structOf(json: unknown): Fields {
  const fields: Fields = {};
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    for (const key of Object.keys(json)) {
      setOwn(fields, key, valueOf((json as JsonObject)[key]));
    }
  }
  return { $typeName: "google.protobuf.Struct", fields };
}

function valueOf(json: JsonValue | undefined): Fields {
  return { $typeName: "google.protobuf.Value", kind: kindOf(json) };
}

function kindOf(json: JsonValue | undefined): Oneof {
  switch (typeof json) {
    case "number":
      return { case: "numberValue", value: json };
    case "string":
      return { case: "stringValue", value: json };
    case "boolean":
      return { case: "boolValue", value: json };
    case "object":
      if (json === null) return { case: "nullValue", value: 0 };
      if (!Array.isArray(json)) {
        return { case: "structValue", value: structOf(json) };
      }
      return {
        case: "listValue",
        value: {
          $typeName: "google.protobuf.ListValue",
          values: json.map(valueOf),
        },
      };
    default:
      return { case: undefined };
  }
}

/** Makes JSON of a `google.protobuf.Struct`. */
export function jsonOf(struct: Fields): JsonObject {
  const fields = struct["fields"] as Fields;
  const json: JsonObject = {};
  for (const key of Object.keys(fields)) {
    setOwn(json, key, jsonOfValue(fields[key]));
  }
  return json;
}

function jsonOfValue(message: unknown): JsonValue {
  const { case: name, value } = (message as Fields)["kind"] as Oneof;
  switch (name) {
    case "structValue":
      return jsonOf(value as Fields);
    case "listValue":
      return ((value as Fields)["values"] as unknown[]).map(jsonOfValue);
    case "nullValue":
    case undefined:
      return null;
    default:
      return value as JsonValue;
  }
}

/** Sets a property of an object's own, even one named `__proto__`. */
export function setOwn(object: Fields, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else {
    Object.defineProperty(object, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}
