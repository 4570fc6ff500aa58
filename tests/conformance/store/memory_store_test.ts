import { createMemoryStore } from "../../../src/adapters/memory_store.ts";
import { testStore } from "./store_suite.ts";

testStore("memory store", () => {
  const store = createMemoryStore();
  return Promise.resolve({ store, [Symbol.asyncDispose]: () => store.close() });
});
