/** Files that users of a channel bring: one folder, and nothing outside it. */

/** A file in the folder. */
export interface MediaFile {
  /** Its name below the folder; what {@linkcode MediaFolder.open} takes. */
  readonly path: string;
  readonly type: string;
  /** In bytes. */
  readonly size: number;
}

/** What a file may be. */
export interface MediaRules {
  /** The folder; it is made where it is not there. */
  readonly folder: string;
  readonly maxBytes: number;
  /** MIME types that are accepted, lower case. */
  readonly types: readonly string[];
}

/** A file that was uploaded: its name is made of these. */
export interface UploadName {
  /** A UUID. */
  readonly id: string;
  readonly type: string;
}

/** Keeps and finds files. Every method rejects with {@linkcode MediaRefused} for what may not be. */
export interface MediaFolder {
  /**
   * Stores what a user uploads, and leaves nothing behind where it rejects. The content must be what `type` says;
   * no other upload may have the id.
   */
  save(
    upload: UploadName & { readonly body: ReadableStream<Uint8Array> | null },
    rules: MediaRules,
  ): Promise<MediaFile>;
  /** The bytes of an uploaded file in this folder; undefined where it is not there. */
  size(upload: UploadName, folder: string): Promise<number | undefined>;
  /** Removes an uploaded file from this folder. Does nothing where it is not there. */
  remove(upload: UploadName, folder: string): Promise<void>;
  /**
   * Finds a file: a path below the folder, relative to it or whole. `type` is what the sender says it is;
   * absent: what its content or its name says. `bytes` are those of a picture, which a model may look at, where
   * it has at most `mostShown` bytes; absent: as many as the folder shows at all.
   */
  open(
    wanted: { readonly path: string; readonly type?: string; readonly mostShown?: number },
    rules: MediaRules,
  ): Promise<MediaFile & { readonly bytes?: Uint8Array<ArrayBuffer> }>;
}

/** A file may not be stored or used; the message is for its sender and names no place of this machine. */
export class MediaRefused extends Error {
  override readonly name = "MediaRefused";
  readonly reason: "type" | "size" | "empty" | "path" | "full";

  constructor(reason: MediaRefused["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
