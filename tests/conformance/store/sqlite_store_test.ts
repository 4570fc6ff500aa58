import { openSqliteStore } from "../../../src/adapters/sqlite_store.ts";
import { testStore } from "./store_suite.ts";

for (const durability of ["process", "power"] as const) {
  testStore(`sqlite store, durability ${durability}`, async () => {
    const folder = await Deno.makeTempDir();
    const store = openSqliteStore({ path: `${folder}/state.db`, durability });
    return {
      store,
      [Symbol.asyncDispose]: async () => {
        await store.close();
        await Deno.remove(folder, { recursive: true });
      },
    };
  });
}
