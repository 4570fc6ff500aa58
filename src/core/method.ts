/**
 * A method as one entry: its name, who may call it, the shape of its parameters and its answer, and
 * what it does. Dispatch, the advertised list, the wire page, the JSON Schema, metric labels and the
 * access matrix are all derived from the entries.
 */

import type * as v from "valibot";
import type { Access } from "./access.ts";
import type { DeepReadonly } from "./deep_readonly.ts";

/** Any schema that validates without waiting. */
export type Schema<Output = unknown> = v.GenericSchema<unknown, Output>;

/** What one method of a wire is. `Context` is what the wire hands to its handlers. */
export interface Method<Context> {
  readonly name: string;
  readonly access: Access;
  /** One sentence for the wire page. */
  readonly summary: string;
  readonly params: Schema;
  readonly result: Schema;
  /** False for a method that works but is left out of the list that a client is shown. */
  readonly advertised: boolean;
  /** Validates `params` and answers; see {@linkcode defineMethods}. */
  readonly run: (params: unknown, context: Context) => unknown;
}

/** What the author of a method writes. */
export interface MethodDefinition<Params extends Schema, Result extends Schema, Context> {
  readonly name: string;
  readonly access: Access;
  readonly summary: string;
  readonly params: Params;
  readonly result: Result;
  readonly advertised?: boolean;
  /** Receives parsed parameters; returns the answer or a promise of it; throws a GatewayError. */
  readonly handler: (
    params: v.InferOutput<Params>,
    context: Context,
  ) => Answer<Result> | Promise<Answer<Result>>;
}

/** What a handler may return for a result schema: the same shape, read-only at every level. */
export type Answer<Result extends Schema> = DeepReadonly<v.InferInput<Result>>;

/** Turns unknown parameters into the output of `schema`, or throws the error that the wire prescribes. */
export type ParseParams = <S extends Schema>(
  schema: S,
  params: unknown,
  method: string,
) => v.InferOutput<S>;

/** The `method` function of a wire whose handlers receive `Context` and whose parameters `parse` checks. */
export function defineMethods<Context>(parse: ParseParams): MethodFactory<Context> {
  return (definition) => ({
    name: definition.name,
    access: definition.access,
    summary: definition.summary,
    params: definition.params,
    result: definition.result,
    advertised: definition.advertised ?? true,
    run: (params, context) =>
      definition.handler(parse(definition.params, params, definition.name), context),
  });
}

/** Makes one entry; the types of parameters and answer come from its schemas. */
export type MethodFactory<Context> = <Params extends Schema, Result extends Schema>(
  definition: MethodDefinition<Params, Result, Context>,
) => Method<Context>;

/** The methods of one wire by name. */
export type MethodTable<Context> = ReadonlyMap<string, Method<Context>>;

/** Builds the table; throws when two entries have one name. */
export function methodTable<Context>(
  groups: readonly (readonly Method<Context>[])[],
): MethodTable<Context> {
  const table = new Map<string, Method<Context>>();
  for (const entry of groups.flat()) {
    if (table.has(entry.name)) throw new RangeError(`method "${entry.name}" is defined twice`);
    table.set(entry.name, entry);
  }
  return table;
}
