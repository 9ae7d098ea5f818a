#include "convert/hub_family.h"

#include <algorithm>

namespace jarip {
namespace {

// What all decoders have.
constexpr NameRule kEnds[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"lm_head.weight", "output.weight", Change::kNone, true},
    {"model.layers.#.self_attn.rotary_emb.inv_freq", "", Change::kSkip, true},
    {"model.rotary_emb.inv_freq", "", Change::kSkip, true},
};

constexpr NameRule kHeads[] = {
    {"model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight"},
    {"model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", Change::kNone, true},
    {"model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight"},
    {"model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", Change::kNone, true},
};

constexpr NameRule kTurnedHeads[] = {
    {"model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", Change::kRopeQuery},
    {"model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", Change::kRopeQuery, true},
    {"model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", Change::kRopeKey},
    {"model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", Change::kRopeKey, true},
};

constexpr NameRule kFusedHeads[] = {
    {"model.layers.#.self_attn.qkv_proj.weight", "blk.#.attn_qkv.weight"},
    {"model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight"},
};

constexpr NameRule kValues[] = {
    {"model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight"},
    {"model.layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias", Change::kNone, true},
    {"model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight"},
    {"model.layers.#.self_attn.o_proj.bias", "blk.#.attn_output.bias", Change::kNone, true},
};

constexpr NameRule kFeedForward[] = {
    {"model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight"},
    {"model.layers.#.mlp.gate_proj.bias", "blk.#.ffn_gate.bias", Change::kNone, true},
    {"model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight"},
    {"model.layers.#.mlp.up_proj.bias", "blk.#.ffn_up.bias", Change::kNone, true},
    {"model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight"},
    {"model.layers.#.mlp.down_proj.bias", "blk.#.ffn_down.bias", Change::kNone, true},
};

constexpr NameRule kFusedFeedForward[] = {
    {"model.layers.#.mlp.gate_up_proj.weight", "blk.#.ffn_up.weight"},
    {"model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight"},
};

constexpr NameRule kMixtralExperts[] = {
    {"model.layers.#.block_sparse_moe.gate.weight", "blk.#.ffn_gate_inp.weight"},
    {"model.layers.#.block_sparse_moe.experts.#.w1.weight", "blk.#.ffn_gate_exps.weight",
     Change::kExpert},
    {"model.layers.#.block_sparse_moe.experts.#.w3.weight", "blk.#.ffn_up_exps.weight",
     Change::kExpert},
    {"model.layers.#.block_sparse_moe.experts.#.w2.weight", "blk.#.ffn_down_exps.weight",
     Change::kExpert},
};

constexpr NameRule kQwenExperts[] = {
    {"model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight"},
    {"model.layers.#.mlp.experts.#.gate_proj.weight", "blk.#.ffn_gate_exps.weight",
     Change::kExpert},
    {"model.layers.#.mlp.experts.#.up_proj.weight", "blk.#.ffn_up_exps.weight", Change::kExpert},
    {"model.layers.#.mlp.experts.#.down_proj.weight", "blk.#.ffn_down_exps.weight",
     Change::kExpert},
};

constexpr NameRule kSharedExperts[] = {
    {"model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight"},
    {"model.layers.#.mlp.experts.gate_up_proj", "blk.#.ffn_gate_exps.weight", Change::kFirstHalf},
    {"model.layers.#.mlp.experts.gate_up_proj", "blk.#.ffn_up_exps.weight", Change::kLastHalf},
    {"model.layers.#.mlp.experts.down_proj", "blk.#.ffn_down_exps.weight"},
    {"model.layers.#.mlp.shared_expert_gate.weight", "blk.#.ffn_gate_inp_shexp.weight"},
    {"model.layers.#.mlp.shared_expert.gate_proj.weight", "blk.#.ffn_gate_shexp.weight"},
    {"model.layers.#.mlp.shared_expert.up_proj.weight", "blk.#.ffn_up_shexp.weight"},
    {"model.layers.#.mlp.shared_expert.down_proj.weight", "blk.#.ffn_down_shexp.weight"},
};

// Gate and up matrix take turns by the row. They are in blocks, or on their side in 16 bits.
constexpr NameRule kGptOssExperts[] = {
    {"model.layers.#.self_attn.sinks", "blk.#.attn_sinks.weight"},
    {"model.layers.#.mlp.router.weight", "blk.#.ffn_gate_inp.weight"},
    {"model.layers.#.mlp.router.bias", "blk.#.ffn_gate_inp.bias"},
    {"model.layers.#.mlp.experts.gate_up_proj_blocks", "blk.#.ffn_gate_exps.weight",
     Change::kEvenBlockRows, true},
    {"model.layers.#.mlp.experts.gate_up_proj_blocks", "blk.#.ffn_up_exps.weight",
     Change::kOddBlockRows, true},
    {"model.layers.#.mlp.experts.gate_up_proj_scales", "", Change::kSkip, true},
    {"model.layers.#.mlp.experts.gate_up_proj", "blk.#.ffn_gate_exps.weight", Change::kEvenColumns,
     true},
    {"model.layers.#.mlp.experts.gate_up_proj", "blk.#.ffn_up_exps.weight", Change::kOddColumns,
     true},
    {"model.layers.#.mlp.experts.gate_up_proj_bias", "blk.#.ffn_gate_exps.bias",
     Change::kEvenElements},
    {"model.layers.#.mlp.experts.gate_up_proj_bias", "blk.#.ffn_up_exps.bias",
     Change::kOddElements},
    {"model.layers.#.mlp.experts.down_proj_blocks", "blk.#.ffn_down_exps.weight", Change::kBlocks,
     true},
    {"model.layers.#.mlp.experts.down_proj_scales", "", Change::kSkip, true},
    {"model.layers.#.mlp.experts.down_proj", "blk.#.ffn_down_exps.weight", Change::kOnItsSide,
     true},
    {"model.layers.#.mlp.experts.down_proj_bias", "blk.#.ffn_down_exps.bias"},
};

constexpr NameRule kNormsBefore[] = {
    {"model.norm.weight", "output_norm.weight"},
    {"model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight"},
    {"model.layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight"},
};

constexpr NameRule kNormsAfter[] = {
    {"model.norm.weight", "output_norm.weight"},
    {"model.layers.#.post_attention_layernorm.weight", "blk.#.post_attention_norm.weight"},
    {"model.layers.#.post_feedforward_layernorm.weight", "blk.#.post_ffw_norm.weight"},
};

constexpr NameRule kGptOssNorms[] = {
    {"model.norm.weight", "output_norm.weight"},
    {"model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight"},
    {"model.layers.#.post_attention_layernorm.weight", "blk.#.post_attention_norm.weight"},
};

constexpr NameRule kGemmaNorms[] = {
    {"model.norm.weight", "output_norm.weight", Change::kPlusOne},
    {"model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", Change::kPlusOne},
    {"model.layers.#.post_attention_layernorm.weight", "blk.#.post_attention_norm.weight",
     Change::kPlusOne},
    {"model.layers.#.pre_feedforward_layernorm.weight", "blk.#.ffn_norm.weight", Change::kPlusOne},
    {"model.layers.#.post_feedforward_layernorm.weight", "blk.#.post_ffw_norm.weight",
     Change::kPlusOne},
};

constexpr NameRule kQwen35Norms[] = {
    {"model.norm.weight", "output_norm.weight", Change::kPlusOne},
    {"model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", Change::kPlusOne},
    {"model.layers.#.post_attention_layernorm.weight", "blk.#.post_attention_norm.weight",
     Change::kPlusOne},
};

constexpr NameRule kDeltaNet[] = {
    {"model.layers.#.linear_attn.in_proj_qkv.weight", "blk.#.attn_qkv.weight", Change::kTileMixed},
    {"model.layers.#.linear_attn.in_proj_z.weight", "blk.#.attn_gate.weight", Change::kTileRows},
    {"model.layers.#.linear_attn.in_proj_b.weight", "blk.#.ssm_beta.weight", Change::kTileHeads},
    {"model.layers.#.linear_attn.in_proj_a.weight", "blk.#.ssm_alpha.weight", Change::kTileHeads},
    {"model.layers.#.linear_attn.conv1d.weight", "blk.#.ssm_conv1d.weight", Change::kTileMixed},
    {"model.layers.#.linear_attn.dt_bias", "blk.#.ssm_dt.bias", Change::kTileHeads},
    {"model.layers.#.linear_attn.A_log", "blk.#.ssm_a", Change::kTileDecay},
    {"model.layers.#.linear_attn.norm.weight", "blk.#.ssm_norm.weight"},
    {"model.layers.#.linear_attn.out_proj.weight", "blk.#.ssm_out.weight", Change::kTileColumns},
};

constexpr NameRule kHeadNorms[] = {
    {"model.layers.#.self_attn.q_norm.weight", "blk.#.attn_q_norm.weight"},
    {"model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight"},
};

constexpr NameRule kGemmaHeadNorms[] = {
    {"model.layers.#.self_attn.q_norm.weight", "blk.#.attn_q_norm.weight", Change::kPlusOne},
    {"model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight", Change::kPlusOne},
};

constexpr NameRule kBert[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight"},
    {"embeddings.position_ids", "", Change::kSkip, true},
    {"embeddings.token_type_ids", "", Change::kSkip, true},
    {"embeddings.token_type_embeddings.weight", "token_types.weight"},
    {"embeddings.LayerNorm.weight", "token_embd_norm.weight"},
    {"embeddings.LayerNorm.bias", "token_embd_norm.bias"},
    {"encoder.layer.#.attention.self.query.weight", "blk.#.attn_q.weight"},
    {"encoder.layer.#.attention.self.query.bias", "blk.#.attn_q.bias"},
    {"encoder.layer.#.attention.self.key.weight", "blk.#.attn_k.weight"},
    {"encoder.layer.#.attention.self.key.bias", "blk.#.attn_k.bias"},
    {"encoder.layer.#.attention.self.value.weight", "blk.#.attn_v.weight"},
    {"encoder.layer.#.attention.self.value.bias", "blk.#.attn_v.bias"},
    {"encoder.layer.#.attention.output.dense.weight", "blk.#.attn_output.weight"},
    {"encoder.layer.#.attention.output.dense.bias", "blk.#.attn_output.bias"},
    {"encoder.layer.#.attention.output.LayerNorm.weight", "blk.#.attn_output_norm.weight"},
    {"encoder.layer.#.attention.output.LayerNorm.bias", "blk.#.attn_output_norm.bias"},
    {"encoder.layer.#.intermediate.dense.weight", "blk.#.ffn_up.weight"},
    {"encoder.layer.#.intermediate.dense.bias", "blk.#.ffn_up.bias"},
    {"encoder.layer.#.output.dense.weight", "blk.#.ffn_down.weight"},
    {"encoder.layer.#.output.dense.bias", "blk.#.ffn_down.bias"},
    {"encoder.layer.#.output.LayerNorm.weight", "blk.#.layer_output_norm.weight"},
    {"encoder.layer.#.output.LayerNorm.bias", "blk.#.layer_output_norm.bias"},
};

constexpr NameRule kBertPositions[] = {
    {"embeddings.position_embeddings.weight", "position_embd.weight"}};
constexpr NameRule kRobertaPositions[] = {
    {"embeddings.position_embeddings.weight", "position_embd.weight", Change::kBehindPadding}};

// What stands on top and has no part in a vector.
constexpr NameRule kUnusedPooler[] = {
    {"pooler.*", "", Change::kSkip, true},
    {"cls.*", "", Change::kSkip, true},
    {"lm_head.*", "", Change::kSkip, true},
};

// Pictures are no part of what is said about texts.
constexpr NameRule kUnusedEyes[] = {
    {"vision_tower.*", "", Change::kSkip, true},
    {"multi_modal_projector.*", "", Change::kSkip, true},
    {"model.vision_tower.*", "", Change::kSkip, true},
    {"model.multi_modal_projector.*", "", Change::kSkip, true},
    {"model.visual.*", "", Change::kSkip, true},
    {"mtp.*", "", Change::kSkip, true},  // which guess ahead
};
constexpr NameRule kBertRank[] = {
    {"pooler.dense.weight", "cls.weight"},
    {"pooler.dense.bias", "cls.bias"},
    {"classifier.weight", "cls.output.weight"},
    {"classifier.bias", "cls.output.bias"},
};
constexpr NameRule kRobertaRank[] = {
    {"classifier.dense.weight", "cls.weight"},
    {"classifier.dense.bias", "cls.bias"},
    {"classifier.out_proj.weight", "cls.output.weight"},
    {"classifier.out_proj.bias", "cls.output.bias"},
};

constexpr NameRule kNomic[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight"},
    {"embeddings.token_type_embeddings.weight", "token_types.weight"},
    {"emb_ln.weight", "token_embd_norm.weight"},
    {"emb_ln.bias", "token_embd_norm.bias"},
    {"encoder.layers.#.attn.Wqkv.weight", "blk.#.attn_qkv.weight"},
    {"encoder.layers.#.attn.out_proj.weight", "blk.#.attn_output.weight"},
    {"encoder.layers.#.norm1.weight", "blk.#.attn_output_norm.weight"},
    {"encoder.layers.#.norm1.bias", "blk.#.attn_output_norm.bias"},
    {"encoder.layers.#.mlp.fc11.weight", "blk.#.ffn_up.weight"},
    {"encoder.layers.#.mlp.fc12.weight", "blk.#.ffn_gate.weight"},
    {"encoder.layers.#.mlp.fc2.weight", "blk.#.ffn_down.weight"},
    {"encoder.layers.#.norm2.weight", "blk.#.layer_output_norm.weight"},
    {"encoder.layers.#.norm2.bias", "blk.#.layer_output_norm.bias"},
};

constexpr Guard kDecoderGuards[] = {
    {"hidden_act", R"("silu" "swish")"},
    {"is_causal", "true"},
    {"use_bidirectional_attention", "false"},
    {"rope_interleaved", "false"},
    {"clip_qkv", ""},
    {"attn_logit_softcapping", ""},
    {"final_logit_softcapping", ""},
    {"query_pre_attn_scalar", ""},
    {"logits_scaling", ""},
    {"embedding_multiplier", ""},
    {"residual_multiplier", ""},
    {"attention_multiplier", ""},
    {"n_shared_experts", "0"},
    {"shared_expert_intermediate_size", "0"},
    {"num_nextn_predict_layers", "0"},
};

constexpr Guard kQwenMoeGuards[] = {
    {"norm_topk_prob", "true"}, {"decoder_sparse_step", "1"}, {"mlp_only_layers", "[]"}};
constexpr Guard kGemma2Guards[] = {
    {"hidden_act", R"("gelu_pytorch_tanh" "gelu")"},
    {"hidden_activation", R"("gelu_pytorch_tanh")"},
    {"attn_logit_softcapping", "*"},
    {"final_logit_softcapping", "*"},
    {"query_pre_attn_scalar", "*"},
};
constexpr Guard kGemma3Guards[] = {
    {"hidden_act", R"("gelu_pytorch_tanh")"},
    {"hidden_activation", R"("gelu_pytorch_tanh")"},
    {"query_pre_attn_scalar", "*"},
};
constexpr Guard kGraniteGuards[] = {
    {"logits_scaling", "*"},
    {"embedding_multiplier", "*"},
    {"residual_multiplier", "*"},
    {"attention_multiplier", "*"},
};
constexpr Guard kGptOssGuards[] = {{"swiglu_limit", "7"}};
constexpr Guard kBertGuards[] = {
    {"hidden_act", R"("gelu")"},
    {"position_embedding_type", R"("absolute")"},
    {"is_decoder", "false"},
    {"add_cross_attention", "false"},
};
constexpr Guard kNomicGuards[] = {
    {"activation_function", R"("swiglu")"},
    {"prenorm", "false"},
    {"qkv_proj_bias", "false"},
    {"mlp_fc1_bias", "false"},
    {"mlp_fc2_bias", "false"},
    {"rotary_emb_fraction", "1"},
    {"rotary_emb_interleaved", "false"},
    {"rotary_emb_scale_base", ""},
    {"use_rms_norm", "false"},
    {"causal", "false"},
    {"parallel_block", "false"},
    {"tie_word_embeddings", "true"},
    {"num_experts", "0"},
};

constexpr Guard kQwen35Guards[] = {
    {"attn_output_gate", "true"}, {"attention_bias", "false"}, {"num_experts", "0"}};

constexpr Guard kQwen35MoeGuards[] = {
    {"attn_output_gate", "true"}, {"attention_bias", "false"},
    {"norm_topk_prob", "true"},   {"decoder_sparse_step", "1"},
    {"mlp_only_layers", "[]"},    {"shared_expert_intermediate_size", "*"}};

constexpr Default kQwen35Defaults[] = {
    {"partial_rotary_factor", 0.25}, {"full_attention_interval", 4}, {"linear_conv_kernel_dim", 4}};
constexpr Default kLlamaDefaults[] = {{"rope_theta", 10000}, {"rms_norm_eps", 1e-6}};
constexpr Default kSmolDefaults[] = {{"rope_theta", 2000000}, {"no_rope_layer_interval", 4}};
constexpr Default kGemma2Defaults[] = {{"rope_theta", 10000},
                                       {"max_position_embeddings", 8192},
                                       {"head_dim", 256},
                                       {"rms_norm_eps", 1e-6},
                                       {"attn_logit_softcapping", 50},
                                       {"final_logit_softcapping", 30},
                                       {"query_pre_attn_scalar", 256},
                                       {"sliding_window", 4096}};
constexpr Default kGemma3Defaults[] = {{"rope_theta", 1e6},
                                       {"rope_local_base_freq", 10000},
                                       {"max_position_embeddings", 131072},
                                       {"num_attention_heads", 8},
                                       {"num_key_value_heads", 4},
                                       {"head_dim", 256},
                                       {"rms_norm_eps", 1e-6},
                                       {"query_pre_attn_scalar", 256},
                                       {"sliding_window", 4096}};
constexpr Default kGptOssDefaults[] = {{"rope_theta", 150000}, {"num_experts_per_tok", 4}};
constexpr Default kQwen3Defaults[] = {{"head_dim", 128}};

constexpr HubFamily kFamilies[] = {
    {.name = "Llama",
     .architecture = "llama",
     .names = {kEnds, kTurnedHeads, kValues, kNormsBefore, kFeedForward},
     .defaults = kLlamaDefaults},
    {.name = "Mistral",
     .architecture = "llama",
     .names = {kEnds, kTurnedHeads, kValues, kNormsBefore, kFeedForward},
     .defaults = kLlamaDefaults,
     .window_always = true},
    {.name = "Mixtral",
     .architecture = "llama",
     .names = {kEnds, kTurnedHeads, kValues, kNormsBefore, kMixtralExperts},
     .window_always = true},
    {.name = "Qwen2",
     .architecture = "qwen2",
     .names = {kEnds, kHeads, kValues, kNormsBefore, kFeedForward},
     .defaults = kLlamaDefaults},
    {.name = "Qwen3",
     .architecture = "qwen3",
     .names = {kEnds, kHeads, kValues, kHeadNorms, kNormsBefore, kFeedForward},
     .defaults = kQwen3Defaults},
    {.name = "Qwen3Moe",
     .architecture = "qwen3moe",
     .names = {kEnds, kHeads, kValues, kHeadNorms, kNormsBefore, kQwenExperts},
     .guards = kQwenMoeGuards},
    {.name = "Qwen3_5",
     .architecture = "qwen35",
     .names = {kEnds, kHeads, kValues, kGemmaHeadNorms, kQwen35Norms, kFeedForward, kDeltaNet,
               kUnusedEyes},
     .guards = kQwen35Guards,
     .defaults = kQwen35Defaults,
     .partly_rotated = true,
     .recurrent = true},
    {.name = "Qwen3_5Moe",
     .architecture = "qwen35moe",
     .names = {kEnds, kHeads, kValues, kGemmaHeadNorms, kQwen35Norms, kSharedExperts, kDeltaNet,
               kUnusedEyes},
     .guards = kQwen35MoeGuards,
     .defaults = kQwen35Defaults,
     .partly_rotated = true,
     .recurrent = true},
    {.name = "SmolLM3",
     .architecture = "smollm3",
     .names = {kEnds, kTurnedHeads, kValues, kNormsBefore, kFeedForward},
     .defaults = kSmolDefaults,
     .tied = true},
    {.name = "Granite",
     .architecture = "granite",
     .names = {kEnds, kTurnedHeads, kValues, kNormsBefore, kFeedForward},
     .guards = kGraniteGuards},
    {.name = "Olmo2",
     .architecture = "olmo2",
     .names = {kEnds, kHeads, kValues, kHeadNorms, kNormsAfter, kFeedForward},
     .writes_pattern = true},
    {.name = "Olmo3",
     .architecture = "olmo2",
     .names = {kEnds, kHeads, kValues, kHeadNorms, kNormsAfter, kFeedForward},
     .window_always = true,
     .writes_pattern = true},
    {.name = "Phi3",
     .architecture = "phi3",
     .names = {kEnds, kFusedHeads, kNormsBefore, kFusedFeedForward},
     .partly_rotated = true,
     .window_always = true},
    {.name = "Gemma2",
     .architecture = "gemma2",
     .names = {kEnds, kHeads, kValues, kGemmaNorms, kFeedForward},
     .guards = kGemma2Guards,
     .defaults = kGemma2Defaults,
     .tied = true,
     .window_always = true},
    {.name = "Gemma3",
     .architecture = "gemma3",
     .names = {kEnds, kHeads, kValues, kGemmaHeadNorms, kGemmaNorms, kFeedForward, kUnusedEyes},
     .guards = kGemma3Guards,
     .defaults = kGemma3Defaults,
     .tied = true,
     .window_always = true},
    {.name = "Exaone4",
     .architecture = "exaone4",
     .names = {kEnds, kHeads, kValues, kHeadNorms, kNormsAfter, kFeedForward},
     .window_always = true,
     .writes_pattern = true},
    {.name = "GptOss",
     .architecture = "gpt-oss",
     .names = {kEnds, kHeads, kValues, kGptOssNorms, kGptOssExperts},
     .guards = kGptOssGuards,
     .defaults = kGptOssDefaults,
     .window_always = true},
    {.name = "Bert",
     .architecture = "bert",
     .names = {kBert, kBertPositions, kUnusedPooler},
     .guards = kBertGuards,
     .is_encoder = true},
    {.name = "XLMRoberta",
     .architecture = "bert",
     .names = {kBert, kRobertaPositions, kUnusedPooler},
     .guards = kBertGuards,
     .is_encoder = true},
    {.name = "NomicBert",
     .architecture = "nomic-bert",
     .names = {kNomic},
     .guards = kNomicGuards,
     .is_encoder = true},
};

// The same with what they are ranked by.
constexpr HubFamily kRankers[] = {
    {.name = "Bert",
     .architecture = "bert",
     .names = {kBert, kBertPositions, kBertRank},
     .guards = kBertGuards,
     .is_encoder = true},
    {.name = "XLMRoberta",
     .architecture = "bert",
     .names = {kBert, kRobertaPositions, kRobertaRank},
     .guards = kBertGuards,
     .is_encoder = true},
};

constexpr std::string_view kRanks = "ForSequenceClassification";
constexpr std::string_view kPurposes[] = {"ForCausalLM", "ForConditionalGeneration", "ForMaskedLM",
                                          "Model"};

}  // namespace

std::span<const HubFamily> hub_families() { return kFamilies; }
std::span<const Guard> decoder_guards() { return kDecoderGuards; }

const HubFamily* find_hub_family(std::string_view model_class) {
  if (model_class.ends_with(kRanks)) {
    model_class.remove_suffix(kRanks.size());
    const auto* const row = std::ranges::find(kRankers, model_class, &HubFamily::name);
    return row == std::end(kRankers) ? nullptr : row;
  }
  for (const std::string_view purpose : kPurposes) {
    if (!model_class.ends_with(purpose)) continue;
    model_class.remove_suffix(purpose.size());
    break;
  }
  const auto* const row = std::ranges::find(kFamilies, model_class, &HubFamily::name);
  return row == std::end(kFamilies) ? nullptr : row;
}

}  // namespace jarip
