/** The settings in the terms of the services that read them; asked at each use, so changes apply live. */

import type { ProviderOptions } from "../adapters/provider_endpoint.ts";
import type { AgentOptions, AgentSetting } from "../services/agents.ts";
import type { Config } from "./schema.ts";
import { modelChoice } from "./setting_text.ts";

/** What the agents service reads. */
export function agentOptions(config: Config): AgentOptions {
  const { defaults, list } = config.agents;
  return {
    defaults: {
      model: modelChoice(defaults.model).primary,
      heartbeatEvery: defaults.heartbeat.every,
      heartbeatPrompt: defaults.heartbeat.prompt,
    },
    list: list.map((agent): AgentSetting => ({
      id: agent.id,
      name: agent.name,
      default: agent.default,
      model: agent.model === undefined ? undefined : modelChoice(agent.model).primary,
      identity: agent.identity,
      heartbeatEvery: agent.heartbeat?.every,
      heartbeatPrompt: agent.heartbeat?.prompt,
    })),
  };
}

/**
 * The providers of the models that there are, with the variables that a disabled one waits for; those
 * of an API that is not spoken are left out.
 */
export function providerOptions(config: Config): readonly ProviderOptions[] {
  const disabled = config.models.disabled ?? {};
  return Object.entries(config.models.providers).flatMap(([id, provider]) => {
    const { api } = provider;
    if (api !== "openai-completions" && api !== "anthropic-messages") return [];
    const unset = Object.hasOwn(disabled, id) ? disabled[id] : undefined;
    return [{ ...provider, id, api, ...(unset === undefined ? {} : { unset }) }];
  });
}
