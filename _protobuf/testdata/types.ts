/**
 * The types of messages that everything is tried with.
 *
 * @module
 */

import type { DescMessage } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { MediumSchema } from "./gen/bench_pb.ts";
import { TestAllTypesEdition2023Schema } from "./gen/google/protobuf/test_messages_edition2023_pb.ts";
import { TestAllTypesProto2Schema as Proto2InEditionsSchema } from "./gen/google/protobuf/test_messages_proto2_editions_pb.ts";
import {
  TestAllRequiredTypesProto2Schema,
  TestAllTypesProto2Schema,
} from "./gen/google/protobuf/test_messages_proto2_pb.ts";
import { TestAllTypesProto3Schema as Proto3InEditionsSchema } from "./gen/google/protobuf/test_messages_proto3_editions_pb.ts";
import { TestAllTypesProto3Schema } from "./gen/google/protobuf/test_messages_proto3_pb.ts";
import { OddSchema } from "./gen/odd_pb.ts";

/** Types with everything that there is in proto2, proto3, and editions. */
export const TYPES: readonly DescMessage[] = [
  TestAllTypesProto2Schema,
  TestAllRequiredTypesProto2Schema,
  TestAllTypesProto3Schema,
  Proto2InEditionsSchema,
  Proto3InEditionsSchema,
  TestAllTypesEdition2023Schema,
  OddSchema,
  MediumSchema,
  ValueSchema,
  FileDescriptorSetSchema,
];
