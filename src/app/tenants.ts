/** For whom a gateway works. */

import { DEFAULT_TENANT, type TenantId } from "../core/id.ts";

/** Tenants that this gateway serves. */
export const TENANTS: readonly TenantId[] = [DEFAULT_TENANT];
