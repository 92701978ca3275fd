/**
 * The npm packages of the peers that `run_peer.ts` runs. It is not TypeScript:
 * the types of grpc-health-check are those that `grpc_js.ts` keeps out.
 *
 * @module
 */

import "@grpc/grpc-js";
import "grpc-health-check";
