/** The pieces that the schema of the settings is written with, each with its words for a wrong value. */

import * as v from "valibot";

/** What a setting is besides its shape. */
export interface SettingMarks {
  /** Its name in a form. */
  readonly label: string;
  readonly help?: string;
  readonly placeholder?: string;
  readonly advanced?: boolean;
  /** It and all below it is never shown. */
  readonly sensitive?: boolean;
  /** A change takes effect only after a restart. */
  readonly restart?: boolean;
  /** References to the environment are filled in; in what is sensitive they always are. */
  readonly environment?: boolean;
  /** It names a path or program of the host, so that only the file on the host may change it. */
  readonly host?: boolean;
  /** Kept but without effect: the setting as a whole (`true`), or these of its values. */
  readonly unused?: true | readonly string[];
}

type Marked<Schema extends v.GenericSchema> = v.SchemaWithPipe<
  readonly [
    Schema,
    v.TitleAction<v.InferOutput<Schema>, string>,
    v.DescriptionAction<v.InferOutput<Schema>, string>,
    v.MetadataAction<v.InferOutput<Schema>, { readonly marks: SettingMarks }>,
  ]
>;

/** A schema with its marks, from which label, help and behaviour of the setting derive. */
export function mark<const Schema extends v.GenericSchema>(
  schema: Schema,
  marks: SettingMarks,
): Marked<Schema> {
  return v.pipe(
    schema,
    v.title(marks.label),
    v.description(marks.help ?? marks.label),
    v.metadata({ marks }),
  );
}

/** Longest text of one setting, in characters; a prompt is the longest of them. */
const MAX_TEXT_CHARS = 65_536;

/** Most elements of one list. */
const MAX_LIST = 1_000;

type TextSchema = v.SchemaWithPipe<
  readonly [v.StringSchema<string>, v.MaxLengthAction<string, number, string>]
>;

/** Text of at most 65,536 characters. */
export function text(): TextSchema {
  const message: string = "must be text";
  const tooLong: string = `must be at most ${MAX_TEXT_CHARS} characters long`;
  return v.pipe(v.string(message), v.maxLength<string, number, string>(MAX_TEXT_CHARS, tooLong));
}

type NameSchema = v.SchemaWithPipe<
  readonly [TextSchema, v.MinLengthAction<string, number, string>]
>;

/** Text that is not empty. */
export function name(): NameSchema {
  return v.pipe(text(), v.minLength<string, number, string>(1, "must not be empty"));
}

/** True or false. */
export function flag(): v.BooleanSchema<string> {
  const message: string = "must be true or false";
  return v.boolean(message);
}

type WholeSchema = v.SchemaWithPipe<
  readonly [
    v.NumberSchema<string>,
    v.IntegerAction<number, string>,
    v.MinValueAction<number, number, string>,
    v.MaxValueAction<number, number, string>,
  ]
>;

/** A whole number between two bounds, both included. */
export function whole(min: number, max: number): WholeSchema {
  const message: string = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(
  words: Words,
): v.PicklistSchema<Words, string> {
  return v.picklist(words, `must be one of ${words.join(", ")}`);
}

type ListSchema<Item extends v.GenericSchema> = v.SchemaWithPipe<
  readonly [
    v.ArraySchema<Item, string>,
    v.MaxLengthAction<v.InferOutput<Item>[], number, string>,
  ]
>;

/** A list of at most a thousand elements. */
export function listOf<const Item extends v.GenericSchema>(item: Item): ListSchema<Item> {
  const message: string = "must be a list";
  const tooLong: string = `must have at most ${MAX_LIST} elements`;
  return v.pipe(
    v.array(item, message),
    v.maxLength<v.InferOutput<Item>[], number, string>(MAX_LIST, tooLong),
  );
}

/** An object with these members; others are no part of the outcome. */
export function section<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.ObjectSchema<Entries, string> {
  const message: string = "must be an object";
  return v.object(entries, message);
}

/** An object whose keys are free. */
export function recordOf<const Value extends v.GenericSchema>(
  value: Value,
): v.RecordSchema<v.StringSchema<undefined>, Value, string> {
  const message: string = "must be an object";
  return v.record(v.string(), value, message);
}
